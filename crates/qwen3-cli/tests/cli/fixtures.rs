//! The tiny checkpoints, and what Transformers computes with them.

use safetensors::SafeTensors;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A checkpoint by its name.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

pub fn embedding_model() -> PathBuf {
    folder("tiny-embedding")
}

pub fn reranker() -> PathBuf {
    folder("tiny-reranker-tied")
}

/// A text of `tiny-embedding/reference.json`, with the vector that belongs to it.
pub struct Text {
    pub text: String,
    pub tokens: usize,
    pub vector: Vec<f32>,
}

/// All of them: 0 and 1 are queries with their prompt, 2 and 3 documents, 8 is
/// empty, 10 has control tokens, 13 is long.
pub fn texts() -> Vec<Text> {
    let tensors = Tensors::read();
    let reference = reference(&embedding_model());
    let texts = reference["texts"].as_array().expect("a list of texts").iter().enumerate();
    let text = |(index, text): (usize, &Value)| Text {
        text: string(&text["text"]),
        tokens: text["input_ids"].as_array().expect("a list of ids").len(),
        vector: tensors.floats(&format!("{index}.embedding")),
    };
    texts.map(text).collect()
}

/// Similarities of texts 0 and 1 with texts 2 and 3.
pub fn similarity() -> [[f64; 2]; 2] {
    let numbers = Tensors::read().floats("similarity");
    let [a, b, c, d] = numbers[..] else { panic!("4 numbers expected, {numbers:?} found") };
    [[a.into(), b.into()], [c.into(), d.into()]]
}

/// A pair of a reranker's `reference.json`.
pub struct Pair {
    pub instruction: String,
    pub query: String,
    pub document: String,
    pub tokens: usize,
    pub log_odds: f64,
    pub score: f64,
}

pub fn pairs(model: &Path) -> Vec<Pair> {
    let reference = reference(model);
    let pair = |pair: &Value| Pair {
        instruction: string(&pair["instruction"]),
        query: string(&pair["query"]),
        document: string(&pair["document"]),
        tokens: pair["input_ids"].as_array().expect("a list of ids").len(),
        log_odds: pair["log_odds"].as_f64().expect("a number"),
        score: pair["score"].as_f64().expect("a number"),
    };
    reference["pairs"].as_array().expect("a list of pairs").iter().map(pair).collect()
}

fn reference(model: &Path) -> Value {
    let text = std::fs::read(model.join("reference.json")).expect("every fixture has one");
    serde_json::from_slice(&text).expect("it was written by Python's json")
}

fn string(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

struct Tensors(Vec<u8>);

impl Tensors {
    fn read() -> Self {
        let path = embedding_model().join("reference.safetensors");
        Self(std::fs::read(path).expect("the embedding fixtures have one"))
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.0).expect("a safetensors file");
        floats(file.tensor(name).expect("a tensor of this name").data())
    }
}

/// Little-endian float32.
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    let (chunks, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty(), "{} bytes are no float32 numbers", bytes.len());
    chunks.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// A copy of a checkpoint that a test may spoil.
pub fn copy(model: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    copy_files(model, copy.path());
    copy
}

fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry of it");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).expect("a folder in a temporary one");
            copy_files(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file in a temporary folder");
        }
    }
}
