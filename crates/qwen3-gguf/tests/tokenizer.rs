//! The tokenizer of a file against that of the checkpoint it was made of.

mod support;

use proptest::prelude::*;
use qwen3_gguf::{GgufFile, tokenizer_json};
use qwen3_text::{EmbeddingTokenizer, Limit, SpecialTokens, Truncate};
use serde_json::Value;
use std::path::Path;
use std::sync::LazyLock;
use support::*;

const TEXTS: [&str; 14] = [
    "",
    "What is the capital of China?",
    "Instruct: Given a web search query, retrieve relevant passages\nQuery:gravity",
    "It's they'LL we've I'D 'S",
    "12345 x1y2 3.14159 1,000,000 ½ ² ٣٤",
    "  two spaces\t\ttabs \r\n\r\n lines \n\n\n end  ",
    "中国的首都是北京。万有引力使物体相互吸引。",
    "عاصمة الصين هي بكين. שלום नमस्ते ไทย",
    "Cafe\u{301} Zu\u{308}rich A\u{30a} \u{1100}\u{1161}\u{11a8} \u{fb01}",
    "fn main() { println!(\"{}\", a[0] != b && c || d); } // ??? --- ***",
    "👩‍🚀🇨🇳😀 \u{200b}\u{feff}\u{a0}\u{3000}",
    "<|im_start|>user\n<think>\n\n</think>\n<|im_end|><|endoftext|><|im_sta",
    "https://example.org/a_b-c?d=e&f=%20 user@example.org snake_case CamelCase",
    "\u{0}\u{1}\u{7f} end of \u{10ffff}",
];

fn tokenizer(json: &[u8]) -> EmbeddingTokenizer {
    let path = Path::new("tokenizer.json");
    EmbeddingTokenizer::from_json(json, path, SpecialTokens::Parse).unwrap()
}

fn ids(tokenizer: &EmbeddingTokenizer, text: &str) -> Vec<u32> {
    let limit = Limit { max_tokens: 1 << 20, truncate: Truncate::Error };
    tokenizer.tokenize("", text, limit).unwrap().input_ids
}

/// Asserts that both give a text the same ids.
fn check(ours: &EmbeddingTokenizer, theirs: &EmbeddingTokenizer, text: &str) {
    assert_eq!(ids(ours, text), ids(theirs, text), "{text:?}");
}

fn from_fixture(name: &str) -> Vec<u8> {
    tokenizer_json(&GgufFile::open(&fixture(name)).unwrap()).unwrap()
}

fn rebuilt(change: impl FnOnce(&mut Writer)) -> Result<Value, String> {
    let mut writer = Writer::model();
    change(&mut writer);
    let json = tokenizer_json(&open(writer.bytes()).unwrap()).map_err(|e| e.to_string())?;
    tokenizer(&json);
    Ok(serde_json::from_slice(&json).unwrap())
}

#[test]
fn the_file_is_that_of_the_checkpoint() {
    for (name, folder) in [
        ("gguf/tiny-embedding-q8_0.gguf", "tiny-embedding"),
        ("gguf/tiny-reranker-mixed.gguf", "tiny-reranker-tied"),
    ] {
        let ours: Value = serde_json::from_slice(&from_fixture(name)).unwrap();
        let theirs = content(&format!("{folder}/tokenizer.json"));
        let theirs: Value = serde_json::from_slice(&theirs).unwrap();
        for part in theirs.as_object().unwrap().keys() {
            assert_eq!(ours[part], theirs[part], "{part} of {folder}");
        }
    }
}

#[test]
fn the_end_token_is_appended_if_the_file_says_so() {
    let appends = |json: &Value| json["post_processor"]["type"] == "Sequence";
    assert!(appends(&rebuilt(|_| ()).unwrap()));
    assert!(!appends(&rebuilt(|w| w.remove("tokenizer.ggml.add_eos_token")).unwrap()));
    assert!(!appends(&rebuilt(|w| w.set("tokenizer.ggml.add_eos_token", bool(false))).unwrap()));
}

#[test]
fn ids_are_those_of_the_file_where_rows_have_no_token() {
    for (tokens, types) in [
        (&["a", "b", "ab", "[PAD3]", "<|endoftext|>"][..], &[1, 1, 1, 5, 3][..]),
        (&["a", "[PAD1]", "b", "ab", "<|endoftext|>"], &[1, 5, 1, 1, 3]),
        (&["a", "<think>", "b", "ab", "<|endoftext|>"], &[1, 4, 1, 1, 3]),
    ] {
        let json = rebuilt(|writer| {
            writer.set("tokenizer.ggml.tokens", texts(tokens));
            writer.set("tokenizer.ggml.token_type", i32s(types));
            writer.set("tokenizer.ggml.eos_token_id", u32(4));
        });
        let tokenizer = tokenizer(json.unwrap().to_string().as_bytes());
        let id = |token| tokens.iter().position(|known| *known == token).unwrap() as u32;
        let found = ids(&tokenizer, "ab<|endoftext|>b");
        assert_eq!(found, [id("ab"), 4, id("b"), 4], "{tokens:?}");
    }
}

#[test]
fn another_tokenizer_is_refused() {
    type Change = fn(&mut Writer);
    let changes: [(Change, &str); 13] = [
        (|w| w.set("tokenizer.ggml.model", text("llama")), "ggml.model`: `llama`"),
        (|w| w.set("tokenizer.ggml.pre", text("llama-bpe")), "ggml.pre`: `llama-bpe`"),
        (|w| w.remove("tokenizer.ggml.pre"), "has no `tokenizer.ggml.pre`"),
        (|w| w.set("tokenizer.ggml.add_bos_token", bool(true)), "add_bos_token`: `true`"),
        (|w| w.remove("tokenizer.ggml.tokens"), "has no `tokenizer.ggml.tokens`"),
        (|w| w.set("tokenizer.ggml.tokens", i32s(&[1])), "expected an array of texts"),
        (|w| w.remove("tokenizer.ggml.merges"), "has no `tokenizer.ggml.merges`"),
        (|w| w.set("tokenizer.ggml.merges", texts(&["a b", "ab"])), "merge 1 of"),
        (|w| w.set("tokenizer.ggml.merges", texts(&["a b c"])), "`a b c`, not two tokens"),
        (|w| w.set("tokenizer.ggml.token_type", i32s(&[1, 1])), "4 tokens and 2 types"),
        (|w| w.set("tokenizer.ggml.token_type", i32s(&[1, 1, 6, 3])), "token_type`: `6`"),
        (|w| w.set("tokenizer.ggml.eos_token_id", u32(4)), "is 4, and there are 4 tokens"),
        (
            |w| w.set("tokenizer.ggml.tokens", texts(&["a", "b", "ab", "a"])),
            "token `a` of `model.gguf` has two ids, 0 and 3",
        ),
    ];
    for (change, expected) in changes {
        let found = rebuilt(change).unwrap_err();
        assert!(found.contains(expected), "`{found}` has `{expected}`");
    }
}

/// Of a model that isn't here: its GGUF file and the `tokenizer.json` of its checkpoint.
#[test]
fn a_real_tokenizer_gives_the_same_ids() {
    let paths = ["QWEN3_GGUF", "QWEN3_TOKENIZER_JSON"].map(std::env::var_os);
    let [Some(file), Some(json)] = paths else {
        println!("not run: QWEN3_GGUF and QWEN3_TOKENIZER_JSON don't name a model's files");
        return;
    };
    let started = std::time::Instant::now();
    let ours = tokenizer_json(&GgufFile::open(file.as_ref()).unwrap()).unwrap();
    println!("{} bytes of tokenizer.json in {:?}", ours.len(), started.elapsed());
    let theirs = tokenizer(&std::fs::read(json).unwrap());
    let ours = tokenizer(&ours);
    assert_eq!(ours.eos_token_id(), theirs.eos_token_id());
    TEXTS.iter().for_each(|text| check(&ours, &theirs, text));
    proptest!(|(text in "\\PC{0,80}")| check(&ours, &theirs, &text));
    proptest!(|(text in any::<String>())| check(&ours, &theirs, &text));
    proptest!(|(text in "[ \\r\\n\\ta-zA-Z'0-9<|>_\u{300}-\u{310}一-三]{0,60}")| check(&ours, &theirs, &text));
}

static TOKENIZERS: LazyLock<[EmbeddingTokenizer; 2]> = LazyLock::new(|| {
    let theirs = content("tiny-embedding/tokenizer.json");
    [from_fixture("gguf/tiny-embedding-q8_0.gguf"), theirs].map(|json| tokenizer(&json))
});

#[test]
fn texts_have_the_ids_of_the_checkpoint() {
    let [ours, theirs] = &*TOKENIZERS;
    assert_eq!(ours.eos_token_id(), 606);
    TEXTS.iter().for_each(|text| check(ours, theirs, text));
}

proptest! {
    #[test]
    fn any_text_has_the_ids_of_the_checkpoint(text in any::<String>()) {
        let [ours, theirs] = &*TOKENIZERS;
        check(ours, theirs, &text);
    }
}
