//! Model folders as people have them: with other files in the place of a
//! model's, tokens without a row, no prompts, and under any name.

use e2e::{changed, fixture, json, log_odds, options, told, vectors};
use qwen3_engine::{
    Checkpoint, ConvertOptions, Embedder, EncodeOptions, Hooks, Kind, Prompt, SpecialTokens,
    convert,
};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TEXTS: [&str; 2] = ["Explain gravity", "万有引力"];

/// Every file that is read of a model in one file and of one in shards.
const FILES: [(&str, &str); 10] = [
    ("tiny-embedding", "config.json"),
    ("tiny-embedding", "tokenizer.json"),
    ("tiny-embedding", "modules.json"),
    ("tiny-embedding", "1_Pooling/config.json"),
    ("tiny-embedding", "2_Normalize/config.json"),
    ("tiny-embedding", "config_sentence_transformers.json"),
    ("tiny-embedding", "sentence_bert_config.json"),
    ("tiny-embedding", "model.safetensors"),
    ("tiny-embedding-variant", "model.safetensors.index.json"),
    ("tiny-embedding-variant", "model-00001-of-00002.safetensors"),
];

/// Expects that the model is refused with these words after `spoil`, which is
/// given the path of each of its files in turn.
fn each_file_is_refused(spoil: impl Fn(&Path), words: &[&str]) {
    for (name, file) in FILES {
        let folder = changed(name, |folder| {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let _ = fs::remove_file(&path);
            spoil(&path);
        });
        let error = told(&vectors(folder.path(), &TEXTS).expect_err("must be refused"));
        let file = file.rsplit('/').next().unwrap();
        assert!(error.contains(&format!("{file}` is ")), "{file}: {error}");
        assert!(words.iter().all(|word| error.contains(word)), "{file}: {error} has {words:?}");
    }
}

#[test]
fn what_lies_in_the_place_of_a_file_is_told() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 137136\n";
    let contents: [(&[u8], &[&str]); 10] = [
        (pointer.as_bytes(), &["Git LFS pointer", "`git lfs pull`"]),
        (b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>", &["web page"]),
        (b"  \n<html>\n<body>Not found</body></html>", &["web page"]),
        (b"", &["empty", "complete?"]),
        (b"\n \n", &["empty", "complete?"]),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", &["gzip", "gunzip"]),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00", &["ZIP", "PyTorch"]),
        (b"\x80\x02}q\x00(X\x05\x00\x00", &["pickle", "safetensors"]),
        (b"GGUF\x03\x00\x00\x00\x23\x01", &["GGUF", "itself"]),
        (b"\xff\xfe{\x00\"\x00a\x00\"\x00", &["UTF-16", "UTF-8"]),
    ];
    for (content, words) in contents {
        each_file_is_refused(|path| fs::write(path, content).unwrap(), words);
    }
}

#[test]
fn what_is_no_file_is_told_and_not_waited_for() {
    each_file_is_refused(|path| fs::create_dir(path).unwrap(), &["a folder", "regular file"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        use std::os::unix::net::UnixListener;
        use std::process::Command;
        each_file_is_refused(|path| symlink("/dev/zero", path).unwrap(), &["a device"]);
        each_file_is_refused(|path| drop(UnixListener::bind(path).unwrap()), &["a socket"]);
        let pipe =
            |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        each_file_is_refused(pipe, &["a pipe"]);
    }
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    for (name, file) in FILES {
        if file.ends_with(".safetensors") {
            continue;
        }
        let folder = changed(name, |folder| {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            // Without blocks on the disk.
            fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
        });
        let error = told(&vectors(folder.path(), &TEXTS).unwrap_err());
        assert!(error.contains("MiB") && error.contains("larger than"), "{file}: {error}");
    }
}

#[test]
fn a_mark_before_json_is_passed_over() {
    let folder = changed("tiny-embedding", |folder| {
        for file in ["config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json"] {
            let path = folder.join(file);
            fs::write(&path, [b"\xef\xbb\xbf", &fs::read(&path).unwrap()[..]].concat()).unwrap();
        }
    });
    let expected = vectors(&fixture("tiny-embedding"), &TEXTS).unwrap();
    assert_eq!(vectors(folder.path(), &TEXTS).unwrap(), expected);
    let out = folder.path().join("converted");
    convert(folder.path(), &out, &ConvertOptions::default()).unwrap();
    assert_eq!(vectors(&out, &TEXTS).unwrap(), expected);
}

#[test]
fn any_file_may_be_given_as_a_model_and_costs_little() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bomb.safetensors");
    for (filling, close) in [("[", ""), ("0,", "0]}")] {
        let metadata = r#"{"__metadata__": {"format": "qwen3", "version": "1"}, "x": ["#;
        let header = format!("{metadata}{}{close}", filling.repeat(1_000_000));
        let length = (header.len() as u64).to_le_bytes();
        fs::write(&path, [&length[..], header.as_bytes()].concat()).unwrap();
        assert!(told(&vectors(&path, &TEXTS).unwrap_err()).contains("bomb.safetensors`"));
    }
    fs::write(&path, "version https://git-lfs.github.com/spec/v1\n").unwrap();
    assert!(told(&vectors(&path, &TEXTS).unwrap_err()).contains("git lfs pull"));
}

#[test]
fn an_adapter_that_was_not_merged_is_refused() {
    let adapter = json!({"peft_type": "LORA", "base_model_name_or_path": "x"}).to_string();
    for file in ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"] {
        let beside = changed("tiny-embedding", |folder| {
            fs::write(folder.join(file), &adapter).unwrap();
        });
        let alone = TempDir::new().unwrap();
        fs::write(alone.path().join(file), &adapter).unwrap();
        for folder in [beside, alone] {
            let error = told(&vectors(folder.path(), &TEXTS).unwrap_err());
            assert!(error.contains(file) && error.contains("merge_and_unload"), "{error}");
        }
    }
}

#[test]
fn weights_of_another_format_are_named() {
    for (file, way_out) in [
        ("pytorch_model.bin", "`model.safetensors`"),
        ("pytorch_model-00001-of-00002.bin", "`model.safetensors`"),
        ("model-q8.gguf", "name one"),
    ] {
        let folder = changed("tiny-embedding", |folder| {
            fs::rename(folder.join("model.safetensors"), folder.join(file)).unwrap();
        });
        let error = told(&vectors(folder.path(), &TEXTS).unwrap_err());
        assert!(error.contains(file) && error.contains(way_out), "{error}");
    }
}

fn copied(name: &str, to: &Path) -> PathBuf {
    let copy = changed(name, |_| {});
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    // Another name on the same disk.
    fs::rename(copy.keep(), to).unwrap();
    to.to_owned()
}

#[test]
fn a_model_is_the_same_wherever_its_folder_lies() {
    let root = TempDir::new().unwrap();
    let kind = |path: &Path| Checkpoint::open(path, &Hooks::default()).unwrap().kind();
    for (at, expected) in [
        ("embeddings/mine", Kind::Reranker),
        ("rerankers/embeddings/mine", Kind::Reranker),
        ("rerankers/my-embedding", Kind::Embedding),
        ("models--embed--Qwen3-Reranker/snapshots/0f", Kind::Reranker),
        ("models--rerankers--Qwen3-Embedding/snapshots/0f", Kind::Embedding),
    ] {
        let folder = copied("tiny-reranker-tied", &root.path().join(at));
        assert_eq!(kind(&folder), expected, "{at}");
    }
    let bare = copied("tiny-embedding", &root.path().join("rerankers/bare"));
    fs::remove_file(bare.join("modules.json")).unwrap();
    fs::remove_file(bare.join("1_Pooling/config.json")).unwrap();
    assert_eq!(kind(&bare), Kind::Embedding);
}

/// Added tokens up to this id; the table has 640 rows.
fn with_tokens(name: &str, highest: u32) -> TempDir {
    changed(name, |folder| {
        let path = folder.join("tokenizer.json");
        let mut tokenizer: Value = json(&path);
        let added = tokenizer["added_tokens"].as_array_mut().unwrap();
        for id in 611..=highest {
            let mut token = added[0].clone();
            token["id"] = id.into();
            token["content"] = format!("<|extra{id}|>").into();
            added.push(token);
        }
        fs::write(path, tokenizer.to_string()).unwrap();
    })
}

#[test]
fn a_token_without_a_row_is_text() {
    let folder = with_tokens("tiny-embedding", 645);
    let texts = ["x <|extra645|> y", "<|extra640|>", "x <|extra639|> y"];
    let model = |special_tokens| {
        let options = options("cpu", "auto").special_tokens(special_tokens);
        Embedder::load(folder.path(), &options).unwrap()
    };
    let (parsed, literal) = (model(None), model(Some(SpecialTokens::Literal)));
    let ids = |model: &Embedder, text| e2e::ids(model, text, &EncodeOptions::default());
    for text in &texts[..2] {
        assert_eq!(ids(&parsed, text), ids(&literal, text), "{text}");
    }
    // The last row is one.
    assert!(ids(&parsed, texts[2]).contains(&639) && !ids(&literal, texts[2]).contains(&639));
    assert_eq!(parsed.encode(texts, &EncodeOptions::default()).unwrap().len(), 3);
    let error = parsed.encode([&[640u32][..]], &EncodeOptions::default()).unwrap_err();
    assert!(error.to_string().contains("input 0: token id `640`"), "{error}");
    let pairs = [("q", "x <|extra645|> y")];
    assert!(log_odds(with_tokens("tiny-reranker-tied", 645).path(), &pairs).is_ok());
}

#[test]
fn a_tokenizer_of_another_model_is_refused_at_load() {
    for name in ["tiny-embedding", "tiny-reranker-tied"] {
        let folder = changed(name, |folder| {
            let path = folder.join("tokenizer.json");
            let mut tokenizer: Value = json(&path);
            let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
            *vocab.values_mut().find(|id| **id == 605).unwrap() = 640.into();
            fs::write(path, tokenizer.to_string()).unwrap();
        });
        let error = match name {
            "tiny-embedding" => vectors(folder.path(), &TEXTS).map(drop),
            _ => log_odds(folder.path(), &[("a", "b")]).map(drop),
        };
        let error = told(&error.unwrap_err());
        assert!(error.contains("tokenizer.json` gives the token"), "{error}");
        assert!(error.contains("the id 640") && error.contains("640 tokens only"), "{error}");
    }
}

#[test]
fn a_model_without_prompts_answers_queries() {
    let with_prompts = |prompts: Value| {
        let folder = changed("tiny-embedding", |folder| {
            let text = json!({"prompts": prompts, "default_prompt_name": null}).to_string();
            fs::write(folder.join("config_sentence_transformers.json"), text).unwrap();
        });
        Embedder::load(folder.path(), &options("cpu", "auto")).unwrap()
    };
    let prompted = |text: &str| EncodeOptions::default().prompt(Prompt::Text(text.to_owned()));
    let usual = EncodeOptions::default();
    let none = with_prompts(json!({}));
    let plain = none.encode(TEXTS, &prompted("")).unwrap();
    assert_eq!(none.encode_query(TEXTS, &usual).unwrap(), plain);
    assert_eq!(none.encode_document(TEXTS, &usual).unwrap(), plain);
    let named = usual.clone().prompt(Prompt::Name("query".to_owned()));
    assert!(none.encode_query(TEXTS, &named).unwrap_err().to_string().contains("`query`"));

    let own = with_prompts(json!({"passage": "P: ", "corpus": "C: ", "other": "O: "}));
    assert_eq!(own.encode_query(TEXTS, &usual).unwrap(), plain);
    let passages = own.encode(TEXTS, &prompted("P: ")).unwrap();
    assert_eq!(own.encode_document(TEXTS, &usual).unwrap(), passages);
}
