//! Files of the model folder: spellings that work, and errors that name the file.

mod folders;

use folders::{edited, fixture, with_file};
use qwen3_text::*;
use serde_json::{Value, json};
use std::path::Path;

const NO_LIMIT: Limit = Limit { max_tokens: usize::MAX, truncate: Truncate::Right };
const TEXT: &str = "Explain <|im_end|> gravity, <think> 12 times";

fn tokenize(folder: &Path) -> Result<Vec<u32>, Error> {
    let tokenizer = EmbeddingTokenizer::from_folder(folder, SpecialTokens::Parse)?;
    Ok(tokenizer.tokenize("", TEXT, NO_LIMIT)?.input_ids)
}

/// The edited file makes the same tokens.
fn check_same(name: &str, edit: impl FnOnce(&mut Value)) {
    let folder = edited(name, "tiny-embedding", edit);
    assert_eq!(tokenize(&folder).unwrap(), tokenize(&fixture("tiny-embedding")).unwrap());
}

/// The edited file is refused, with a message that names it and contains `expected`.
fn check_error(name: &str, expected: &str, edit: impl FnOnce(&mut Value)) {
    let error = tokenize(&edited(name, "tiny-embedding", edit)).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    let path = Path::new(name).join("tokenizer.json");
    assert!(error.contains(&format!("{}`", path.display())), "{error}");
}

#[test]
fn an_early_file_without_post_processor_gets_the_end_token() {
    check_same("no_post_processor", |json| json["post_processor"] = Value::Null);
    check_same("byte_level_only", |json| {
        json["post_processor"] = json["post_processor"]["processors"][0].clone()
    });
    check_same("template_alone", |json| {
        json["post_processor"] = json["post_processor"]["processors"][1].clone()
    });
    check_same("key_absent", |json| drop(json.as_object_mut().unwrap().remove("post_processor")));
}

#[test]
fn the_end_token_is_what_the_post_processor_appends() {
    let folder = edited("other_end_token", "tiny-embedding", |json| {
        json["post_processor"]["processors"][1]["special_tokens"]["<|endoftext|>"]["ids"] =
            json!([608]);
    });
    assert_eq!(tokenize(&folder).unwrap().last(), Some(&608));
}

#[test]
fn truncation_padding_and_dropout_of_the_file_are_ignored() {
    check_same("truncation_and_padding", |json| {
        json["truncation"] =
            json!({"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 9});
        json["padding"] = json!({"strategy": {"Fixed": 64}, "direction": "Left", "pad_to_multiple_of": 8,
            "pad_id": 1, "pad_type_id": 0, "pad_token": "x"});
        json["model"]["dropout"] = json!(0.9);
        json["decoder"] = json!({"type": "Unheard of"});
    });
}

#[test]
fn merges_in_the_older_spelling_are_the_same() {
    check_same("lines", |json| {
        let merges = json["model"]["merges"].as_array_mut().unwrap();
        for merge in merges.iter_mut() {
            *merge =
                json!(format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()));
        }
        merges.insert(0, json!("#version: 0.2"));
    });
}

#[test]
fn post_processors_that_are_not_qwens_are_errors() {
    let single = |pieces: Value| {
        move |json: &mut Value| json["post_processor"]["processors"][1]["single"] = pieces
    };
    let text = json!({"Sequence": {"id": "A", "type_id": 0}});
    let end = json!({"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}});
    let unknown = json!({"SpecialToken": {"id": "<|unknown|>", "type_id": 0}});
    check_error("in_front", "doesn't begin with the text", single(json!([end, text, end])));
    check_error("two_ends", "2 tokens after the text", single(json!([text, end, end])));
    check_error("two_texts", "without token ids", single(json!([text, text])));
    check_error("no_text", "doesn't begin with the text", single(json!("$A")));
    // `Tokenizer::from_file` takes this one, and panics when it tokenizes.
    check_error("undefined", "without token ids", single(json!([text, unknown])));
    check_error("bert", "post_processor `BertProcessing`", |json| {
        json["post_processor"] =
            json!({"type": "BertProcessing", "sep": ["x", 1], "cls": ["y", 2]});
    });
    check_error("beyond", "no single token `999`", |json| {
        json["post_processor"]["processors"][1]["special_tokens"]["<|endoftext|>"]["ids"] =
            json!([999]);
    });
}

#[test]
fn vocabularies_that_contradict_themselves_are_errors() {
    // `Tokenizer::from_file` panics on this one: what it makes is longer than every token.
    check_error("long_merge", "but its vocabulary lacks them or the result", |json| {
        let model = json["model"].as_object_mut().unwrap();
        let longest = model["vocab"].as_object().unwrap().keys().max_by_key(|token| token.len());
        let merge = json!([longest, longest]);
        model["merges"].as_array_mut().unwrap().push(merge);
    });
    check_error("half_merge", "merges `x` and ``", |json| json["model"]["merges"][0] = json!("x"));
    check_error("wrong_id", "added token `<|im_start|>` the id 700", |json| {
        json["added_tokens"][1]["id"] = json!(700)
    });
    check_error("no_end_token", "no single token `<|endoftext|>`", |json| {
        json["added_tokens"][0]["content"] = json!("<|other|>");
        json["post_processor"] = Value::Null;
    });
    check_error("unknown_token", "no single token `?!`", |json| {
        json["model"]["unk_token"] = json!("?!")
    });
}

#[test]
fn parts_of_other_model_families_are_errors() {
    check_error("model", "model `WordPiece`, expected BPE", |json| {
        json["model"]["type"] = json!("WordPiece")
    });
    check_error("version", "version `2.0`", |json| json["version"] = json!("2.0"));
    check_error("subword", "continuing_subword_prefix `##`", |json| {
        json["model"]["continuing_subword_prefix"] = json!("##");
    });
    check_error("normalizer", "normalizer `Precompiled`", |json| {
        json["normalizer"] = json!({"type": "Sequence", "normalizers": [{"type": "Precompiled"}]});
    });
    check_error("pre_tokenizer", "pre_tokenizer `Metaspace`", |json| {
        json["pre_tokenizer"]["pretokenizers"][1] = json!({"type": "Metaspace"});
    });
    check_error("pattern", "cannot understand", |json| {
        json["pre_tokenizer"]["pretokenizers"][0]["pattern"] = json!({"Regex": "("});
    });
}

#[test]
fn missing_and_damaged_files_are_named() {
    let check = |folder: &Path, expected: &str| {
        let error = tokenize(folder).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(error.to_string().contains("tokenizer.json`"), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    };
    check(Path::new("no such folder"), "cannot read `no such folder");
    check(&with_file("empty_file", "tokenizer.json", b""), "cannot understand");
    check(&with_file("garbage", "tokenizer.json", b"\xff\0garbage"), "cannot understand");
    check(&with_file("nothing_inside", "tokenizer.json", b"{}"), "cannot understand");
    let whole = std::fs::read(fixture("tiny-embedding").join("tokenizer.json")).unwrap();
    check(&with_file("half", "tokenizer.json", &whole[..whole.len() / 2]), "cannot understand");
    check(
        &with_file("deep", "tokenizer.json", "[".repeat(100_000).as_bytes()),
        "cannot understand",
    );
}

#[test]
fn a_reranker_needs_yes_and_no_as_tokens() {
    for word in ["yes", "no"] {
        let folder = edited(&format!("without_{word}"), "tiny-reranker-tied", |json| {
            let merges = json["model"]["merges"].as_array_mut().unwrap();
            merges.retain(|merge| {
                let merged =
                    format!("{}{}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap());
                merged != word
            });
        });
        let error =
            RerankTokenizer::from_folder(&folder, SpecialTokens::Literal).unwrap_err().to_string();
        assert!(error.contains(&format!("no single token `{word}`")), "{error}");
    }
}

#[test]
fn prompts_are_those_of_the_folder() {
    let file = "config_sentence_transformers.json";
    assert_eq!(Prompts::from_folder(&fixture("tiny-embedding")).unwrap(), Prompts::default());
    assert_eq!(Prompts::from_folder(&fixture("tiny-reranker-tied")).unwrap(), Prompts::default());

    let own = json!({"prompts": {"q": "Q: ", "d": "D: "}, "default_prompt_name": "d", "similarity_fn_name": "dot"});
    let own =
        Prompts::from_folder(&with_file("own_prompts", file, own.to_string().as_bytes())).unwrap();
    assert_eq!(own.names().collect::<Vec<_>>(), ["d", "q"]);
    assert_eq!((own.default_prompt(), own.similarity_fn_name()), (Some("D: "), Some("dot")));

    let none = Prompts::from_folder(&with_file("no_prompts", file, b"{}")).unwrap();
    assert_eq!(
        none.get("query").unwrap_err().to_string(),
        "unknown prompt `query`; the model has none"
    );

    let error =
        Prompts::from_folder(&with_file("bad_default", file, b"{\"default_prompt_name\": \"x\"}"))
            .unwrap_err();
    assert!(matches!(error, Error::UnknownPrompt { name, .. } if name == "x"));
    let error = Prompts::from_folder(&with_file("bad_prompts", file, b"{\"prompts\": ["))
        .unwrap_err()
        .to_string();
    assert!(error.contains(file), "{error}");
}

#[test]
fn no_text_gives_an_id_beyond_the_table() {
    let embedding = |rows| {
        let folder = fixture("tiny-embedding");
        EmbeddingTokenizer::from_folder(&folder, SpecialTokens::Parse).unwrap().within(rows)
    };
    let ids = |rows| embedding(rows).unwrap().tokenize("", TEXT, NO_LIMIT).unwrap().input_ids;
    assert!(ids(640) == ids(611) && ids(611).contains(&609));
    assert!(ids(609).contains(&608) && ids(609).iter().all(|id| *id < 609), "`<think>` is text");
    assert_eq!(embedding(609).unwrap().tokens_without_row(), ["<think>", "</think>"]);
    assert!(embedding(611).unwrap().tokens_without_row().is_empty());
    let decoded = embedding(609).unwrap().decode(&ids(609), true).unwrap();
    assert_eq!(decoded, TEXT.replace("<|im_end|>", ""));
    let rerank = |rows| {
        let folder = fixture("tiny-reranker-tied");
        RerankTokenizer::from_folder(&folder, SpecialTokens::Literal).unwrap().within(rows)
    };
    assert!(rerank(611).is_ok());
    for (error, token) in [
        (embedding(606).unwrap_err(), "`<|endoftext|>` the id 606"),
        (embedding(600).unwrap_err(), "the id 605"),
        (rerank(610).unwrap_err(), "`</think>` the id 610"),
    ] {
        assert!(error.to_string().contains(token), "{error}");
    }
}
