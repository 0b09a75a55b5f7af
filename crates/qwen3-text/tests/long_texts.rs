//! Texts too long to be tokenized at once.

mod folders;

use folders::{edited, fixture, in_one_piece};
use qwen3_text::*;
use serde_json::json;

const NO_LIMIT: Limit = Limit { max_tokens: usize::MAX, truncate: Truncate::Right };
const END: u32 = 606;

fn embedding(special: SpecialTokens) -> EmbeddingTokenizer {
    EmbeddingTokenizer::from_folder(&fixture("tiny-embedding"), special).unwrap()
}

/// 150 kB that end in the middle of nothing: words, digits, white space, Chinese, special
/// tokens.
fn long_text() -> String {
    let mut seed = 7_u32;
    let mut text = String::new();
    while text.len() < 150_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let parts = "gravity| the|  |\n|\r\n |12|中国。|é|e\u{301}|'s|<think>|!|\t";
        text.extend(parts.split('|').nth((seed >> 16) as usize % 13));
    }
    text
}

#[test]
fn pieces_of_a_long_text_make_the_tokens_of_the_whole() {
    let whole = in_one_piece("long texts", "tiny-embedding");
    let whole = EmbeddingTokenizer::from_folder(&whole, SpecialTokens::Parse).unwrap();
    let in_pieces = embedding(SpecialTokens::Parse);
    let text = long_text();
    let ids = whole.tokenize("", &text, NO_LIMIT).unwrap().input_ids;
    let n_tokens = ids.len();
    for (max_tokens, truncate, expected) in [
        (n_tokens, Truncate::Right, ids.clone()),
        (n_tokens, Truncate::Left, ids.clone()),
        (n_tokens - 1, Truncate::Right, [&ids[..n_tokens - 2], &[END]].concat()),
        (n_tokens - 1, Truncate::Left, ids[1..].to_vec()),
        (9000, Truncate::Right, [&ids[..8999], &[END]].concat()),
        (9000, Truncate::Left, ids[n_tokens - 9000..].to_vec()),
        (1, Truncate::Right, vec![END]),
    ] {
        let tokens = in_pieces.tokenize("", &text, Limit { max_tokens, truncate }).unwrap();
        // Not `assert_eq`, which would print both.
        assert!(tokens.input_ids == expected, "{max_tokens} {truncate}");
        assert_eq!(tokens.truncated, max_tokens < n_tokens);
    }
    let strict = Limit { max_tokens: 9, truncate: Truncate::Error };
    let error = in_pieces.tokenize("", &text, strict);
    assert!(matches!(error, Err(Error::TooLong { found, .. }) if found == n_tokens));
}

#[test]
fn a_limit_at_the_end_of_a_piece_is_noticed() {
    let tokenizer = embedding(SpecialTokens::Literal);
    let (piece, rest) = ("x".repeat(1 << 16), " y");
    let max_tokens = tokenizer.tokenize("", &piece, NO_LIMIT).unwrap().input_ids.len();
    let limit = Limit { max_tokens, truncate: Truncate::Right };
    assert!(!tokenizer.tokenize("", &piece, limit).unwrap().truncated);
    assert!(tokenizer.tokenize(&piece, rest, limit).unwrap().truncated);
}

#[test]
fn texts_are_cut_for_qwens_words_only() {
    // A pattern that makes one word of everything, and a merge across the place where a piece
    // would end.
    let one_word = edited("one word", "tiny-embedding", |json| {
        json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = json!("no match");
        let model = json["model"].as_object_mut().unwrap();
        let vocab = model["vocab"].as_object_mut().unwrap();
        let id = vocab.remove("ĠDocument").unwrap();
        vocab.insert("xĠ".to_owned(), id);
        let merges = model["merges"].as_array_mut().unwrap();
        merges.retain(|merge| *merge != json!(["Ġ", "Document"]));
        merges.push(json!(["x", "Ġ"]));
    });
    let text = "x".repeat(1 << 16) + " y";
    let tokenizer = EmbeddingTokenizer::from_folder(&one_word, SpecialTokens::Parse).unwrap();
    assert!(tokenizer.tokenize("", &text, NO_LIMIT).unwrap().input_ids.contains(&605));
}

#[test]
fn pieces_do_not_cut_added_tokens() {
    for content in ["a b", "a1b"] {
        let folder = edited(&format!("added {content}"), "tiny-embedding", |json| {
            let mut token = json["added_tokens"][4].clone();
            (token["id"], token["content"]) = (json!(611), json!(content));
            json["added_tokens"].as_array_mut().unwrap().push(token);
        });
        let tokenizer = EmbeddingTokenizer::from_folder(&folder, SpecialTokens::Parse).unwrap();
        let tokens = tokenizer.tokenize("", &content.repeat(60_000), NO_LIMIT).unwrap();
        assert_eq!(tokens.input_ids.len(), 60_001, "{content}");
    }
}

#[test]
fn a_long_run_of_white_space_does_not_change_what_follows() {
    let tokenizer = embedding(SpecialTokens::Literal);
    let tokenize = |text: &str| tokenizer.tokenize("", text, NO_LIMIT).unwrap().input_ids;
    let body = |text: &str| {
        let mut ids = tokenize(text);
        ids.truncate(ids.len() - 1);
        ids
    };
    let run = 200_000;
    // The pattern keeps `'s` and `t` apart, which as one word would make the token `st`.
    let after = " the planet'st";
    let expected = [body("Gravity"), body("\t").repeat(run), tokenize(after)].concat();
    assert!(tokenize(&["Gravity", &"\t".repeat(run), after].concat()) == expected);
}

#[test]
fn what_would_take_too_much_at_once_is_an_error_unless_it_is_cut_off_anyway() {
    let tokenizer = embedding(SpecialTokens::Parse);
    let is_unbroken = |result: Result<Tokens, Error>| matches!(result, Err(Error::Unbroken { .. }));
    let words = "gravity, ".repeat(20_000);
    for run in ["a".repeat(300_000), "\n".repeat(300_000), "<".repeat(300_000)] {
        for truncate in [Truncate::Right, Truncate::Left, Truncate::Error] {
            let limit = Limit { max_tokens: 9000, truncate };
            assert!(is_unbroken(tokenizer.tokenize("", &run, limit)));
            assert!(is_unbroken(tokenizer.tokenize(&run, "", limit)));
        }
        let error = tokenizer.tokens(&run, true).unwrap_err().to_string();
        assert!(
            error.starts_with("text has 300000 bytes in a row without a place to cut"),
            "{error}"
        );
        for (truncate, text) in [
            (Truncate::Right, [words.as_str(), &run].concat()),
            (Truncate::Left, [run.as_str(), "x", &words].concat()),
        ] {
            let limit = Limit { max_tokens: 9000, truncate };
            let tokens = tokenizer.tokenize("", &text, limit).unwrap();
            assert_eq!((tokens.input_ids.len(), tokens.truncated), (9000, true));
        }
    }
}

#[test]
fn texts_without_blanks_are_cut_at_their_marks() {
    let tokenizer = embedding(SpecialTokens::Parse);
    for sentence in ["重力是一种力。", "중력은，힘", "path/to/a-file_name.", "\"a\":\"b\","]
    {
        let text = sentence.repeat(300_000 / sentence.len() + 1);
        let once = tokenizer.tokenize("", sentence, NO_LIMIT).unwrap().input_ids.len() - 1;
        let all = tokenizer.tokenize("", &text, NO_LIMIT).unwrap().input_ids.len() - 1;
        assert!(all > once * 10_000, "{sentence}");
    }
}

#[test]
fn tokens_to_look_at_are_those_of_the_whole_text() {
    let tokenizer = embedding(SpecialTokens::Parse);
    let text = long_text();
    let tokens = tokenizer.tokens(&text, true).unwrap();
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    assert!(ids == tokenizer.tokenize("", &text, NO_LIMIT).unwrap().input_ids);
    for token in &tokens[..tokens.len() - 1] {
        let bytes = &text.as_bytes()[token.bytes.clone().unwrap()];
        assert_eq!(String::from_utf8_lossy(bytes), token.text);
    }
}

#[test]
fn a_nest_of_special_tokens_is_stripped_in_linear_time() {
    let depth = 100_000;
    let nest = "<|im_".repeat(depth) + &"end|>".repeat(depth);
    let tokens = embedding(SpecialTokens::Strip).tokenize("", &nest, NO_LIMIT).unwrap();
    assert!(tokens.input_ids == [END]);
}
