//! Texts too long to be encoded at once.

mod folders;

use folders::{edited, fixture};
use qwen3_text::*;
use serde_json::json;

const NO_LIMIT: Limit = Limit { max_tokens: usize::MAX, truncate: Truncate::Right };
const END: u32 = 606;

fn embedding(special: SpecialTokens) -> EmbeddingTokenizer {
    EmbeddingTokenizer::from_folder(&fixture("tiny-embedding"), special).unwrap()
}

/// 200 kB that end in the middle of nothing: words, digits, white space, Chinese, special tokens.
fn long_text() -> String {
    let mut seed = 7_u32;
    let mut text = String::new();
    while text.len() < 200_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let parts = [
            "gravity",
            " the",
            "  ",
            "\n",
            "\r\n ",
            "12",
            "中国。",
            "é",
            "e\u{301}",
            "'s",
            "<|im_end|>",
            "!",
            "\t",
        ];
        text.push_str(parts[(seed >> 16) as usize % parts.len()]);
    }
    text
}

#[test]
fn pieces_of_a_long_text_make_the_tokens_of_the_whole() {
    // Another spelling of the pattern, which the rules for pieces don't know.
    let whole = edited("other_pattern", "tiny-embedding", |json| {
        let pattern = &mut json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"];
        *pattern = json!(format!("(?:{})", pattern.as_str().unwrap()));
    });
    let text = long_text();
    for special in [SpecialTokens::Parse, SpecialTokens::Literal] {
        let tokenizer = EmbeddingTokenizer::from_folder(&whole, special).unwrap();
        let whole = tokenizer.encode("", &text, NO_LIMIT).unwrap();
        assert_eq!(embedding(special).encode("", &text, NO_LIMIT).unwrap(), whole);
        let n_tokens = whole.input_ids.len();
        for max_tokens in [1, 9000, n_tokens / 2, n_tokens - 1, n_tokens] {
            for truncate in [Truncate::Right, Truncate::Left] {
                let limited =
                    embedding(special).encode("", &text, Limit { max_tokens, truncate }).unwrap();
                let body = &whole.input_ids[..n_tokens - 1];
                let body = match truncate {
                    Truncate::Left => &body[n_tokens - max_tokens..],
                    _ => &body[..max_tokens - 1],
                };
                assert_eq!(limited.input_ids, [body, &[END]].concat());
                assert_eq!(limited.truncated, max_tokens < n_tokens);
            }
        }
        let strict = Limit { max_tokens: 9, truncate: Truncate::Error };
        let error = embedding(special).encode("", &text, strict);
        assert!(matches!(error, Err(Error::TooLong { found, .. }) if found == n_tokens));
    }
}

#[test]
fn pieces_do_not_cut_added_tokens() {
    for content in ["a b", "a1b"] {
        let folder = edited(
            &format!("added_{}", content.len() + content.find('1').unwrap_or(0)),
            "tiny-embedding",
            |json| {
                let mut token = json["added_tokens"][4].clone();
                (token["id"], token["content"]) = (json!(611), json!(content));
                json["added_tokens"].as_array_mut().unwrap().push(token);
            },
        );
        let tokenizer = EmbeddingTokenizer::from_folder(&folder, SpecialTokens::Parse).unwrap();
        let encoded = tokenizer.encode("", &content.repeat(60_000), NO_LIMIT).unwrap();
        assert_eq!(encoded.input_ids.len(), 60_001, "{content}");
    }
}

/// `fancy-regex` gives up on a million white-space characters in a row, and what follows was one word.
#[test]
fn a_very_long_run_of_white_space_does_not_change_what_follows() {
    let tokenizer = embedding(SpecialTokens::Literal);
    let encode = |text: &str| tokenizer.encode("", text, NO_LIMIT).unwrap().input_ids;
    let body = |text: &str| {
        let mut ids = encode(text);
        ids.truncate(ids.len() - 1);
        ids
    };
    let run = " ".repeat(1_100_000);
    let after = " the planets";
    assert_eq!(
        encode(&format!("Gravity{run}{after}")),
        [body("Gravity"), body(&run), encode(after)].concat()
    );
}

#[test]
fn a_nest_of_special_tokens_is_stripped_in_linear_time() {
    let depth = 100_000;
    let nest = "<|im_".repeat(depth) + &"end|>".repeat(depth);
    assert_eq!(
        embedding(SpecialTokens::Strip).encode("", &nest, NO_LIMIT).unwrap().input_ids,
        [END]
    );
}
