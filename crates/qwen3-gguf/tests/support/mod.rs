//! Writes GGUF files, wrong ones too.
#![allow(dead_code, reason = "each test file uses a part")]

use qwen3_gguf::{Error, Fault, GgufFile};
use std::path::{Path, PathBuf};

/// A file of the repository's fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

/// The content of one.
pub fn content(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

pub fn open(bytes: Vec<u8>) -> Result<GgufFile, Error> {
    GgufFile::from_bytes(bytes, Path::new("model.gguf"))
}

/// What is wrong with the header of a file.
pub fn fault(bytes: Vec<u8>) -> Fault {
    match open(bytes) {
        Err(Error::Damaged { source, .. }) => source,
        Err(other) => panic!("{other}"),
        Ok(file) => panic!("{file:?} is right"),
    }
}

pub struct TensorToWrite {
    pub name: String,
    /// The innermost first.
    pub dimensions: Vec<u64>,
    pub format: u32,
    pub offset: u64,
}

/// A file that is written as it is told.
pub struct Writer {
    pub version: u32,
    pub entries: Vec<(String, Vec<u8>)>,
    pub tensors: Vec<TensorToWrite>,
    pub data: Vec<u8>,
    /// Where the data begins is a multiple of it.
    pub alignment: usize,
}

impl Writer {
    pub fn new() -> Self {
        Self { version: 3, entries: vec![], tensors: vec![], data: vec![], alignment: 32 }
    }

    /// A network of one layer, of which only the table is there, with two tokens and their end.
    pub fn model() -> Self {
        let mut writer = Self::new();
        writer.set("general.architecture", text("qwen3"));
        for (key, size) in [
            ("block_count", 1),
            ("context_length", 64),
            ("embedding_length", 32),
            ("feed_forward_length", 96),
            ("attention.head_count", 4),
            ("attention.head_count_kv", 2),
            ("attention.key_length", 16),
            ("attention.value_length", 16),
            ("pooling_type", 3),
        ] {
            writer.set(&format!("qwen3.{key}"), u32(size));
        }
        writer.set("qwen3.attention.layer_norm_rms_epsilon", f32(1e-6));
        writer.set("qwen3.rope.freq_base", f32(1e6));
        writer.set("tokenizer.ggml.model", text("gpt2"));
        writer.set("tokenizer.ggml.pre", text("qwen2"));
        writer.set("tokenizer.ggml.tokens", texts(&["a", "b", "ab", "<|endoftext|>"]));
        writer.set("tokenizer.ggml.token_type", i32s(&[1, 1, 1, 3]));
        writer.set("tokenizer.ggml.merges", texts(&["a b"]));
        writer.set("tokenizer.ggml.eos_token_id", u32(3));
        writer.set("tokenizer.ggml.add_eos_token", bool(true));
        writer.tensor("token_embd.weight", &[32, 4]);
        writer
    }

    pub fn set(&mut self, key: &str, value: Vec<u8>) {
        self.remove(key);
        self.entries.push((key.to_owned(), value));
    }

    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|(known, _)| known != key);
    }

    /// Appends a float32 tensor of zeros.
    pub fn tensor(&mut self, name: &str, dimensions: &[u64]) {
        let (name, dimensions) = (name.to_owned(), dimensions.to_vec());
        let numbers: u64 = dimensions.iter().product();
        let offset = self.data.len().next_multiple_of(32);
        self.data.resize(offset + 4 * numbers as usize, 0);
        self.tensors.push(TensorToWrite { name, dimensions, format: 0, offset: offset as u64 });
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.entries.len() as u64).to_le_bytes());
        for (key, value) in &self.entries {
            bytes.extend(length_and(key));
            bytes.extend(value);
        }
        for tensor in &self.tensors {
            bytes.extend(length_and(&tensor.name));
            bytes.extend((tensor.dimensions.len() as u32).to_le_bytes());
            bytes.extend(tensor.dimensions.iter().flat_map(|n| n.to_le_bytes()));
            bytes.extend(tensor.format.to_le_bytes());
            bytes.extend(tensor.offset.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(self.alignment), 0);
        bytes.extend(&self.data);
        bytes
    }
}

/// A type and what follows it.
pub fn value(value_type: u32, payload: &[u8]) -> Vec<u8> {
    [&value_type.to_le_bytes(), payload].concat()
}

pub fn text(text: &str) -> Vec<u8> {
    value(8, &length_and(text))
}

pub fn u32(number: u32) -> Vec<u8> {
    value(4, &number.to_le_bytes())
}

pub fn f32(number: f32) -> Vec<u8> {
    value(6, &number.to_le_bytes())
}

pub fn bool(is: bool) -> Vec<u8> {
    value(7, &[is.into()])
}

pub fn array(element: u32, length: u64, payload: &[u8]) -> Vec<u8> {
    value(9, &[&element.to_le_bytes()[..], &length.to_le_bytes(), payload].concat())
}

pub fn texts(texts: &[&str]) -> Vec<u8> {
    let payload: Vec<u8> = texts.iter().flat_map(|text| length_and(text)).collect();
    array(8, texts.len() as u64, &payload)
}

pub fn i32s(numbers: &[i32]) -> Vec<u8> {
    let payload: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    array(5, numbers.len() as u64, &payload)
}

pub fn length_and(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}
