//! A GGUF file.

use crate::MAX_NUMBERS;
use qwen3::Config;
use qwen3_gguf::{Description, GgufFile, Value, tokenizer_json, weights};
use qwen3_text::{EmbeddingTokenizer, SpecialTokens};
use std::path::Path;

/// Metadata, what it says of a model, its tokenizer, and the numbers of every tensor.
pub fn gguf(data: &[u8]) {
    let Ok(file) = GgufFile::from_bytes(data.to_owned(), Path::new("model.gguf")) else { return };
    for key in file.metadata().keys() {
        if let Some(Value::Array(array)) = file.metadata().get(key) {
            assert_eq!(array.iter().count(), array.len(), "{key}");
        }
    }
    if let Ok(model) = Description::of(&file) {
        let _ = Config::from_json(&model.config_json(), Path::new("config.json"));
        for weight in weights(&file, &model).unwrap_or_default().values() {
            let numbers: usize = weight.shape.iter().product();
            if numbers <= MAX_NUMBERS {
                assert_eq!(weight.widened(&file).len(), numbers, "{}", weight.name);
            }
        }
    }
    if let Ok(json) = tokenizer_json(&file) {
        let path = Path::new("tokenizer.json");
        let _ = EmbeddingTokenizer::from_json(&json, path, SpecialTokens::Parse);
    }
}
