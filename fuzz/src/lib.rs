//! What bytes of strangers reach: files of a model, and requests. Each target is
//! a function that takes any bytes, and panics only where there is a fault.
//!
//! `cargo fuzz run TARGET` looks for such bytes with libFuzzer. Where that can't
//! be built, `cargo test` runs the targets on the seeds and on changes of them.

mod evaluation;
mod files;
mod gguf;
mod requests;

pub use evaluation::{evaluation, ranking};
pub use files::{folder, index, portable};
pub use gguf::gguf;
pub use requests::request;

use qwen3::{Config, Dtype, TensorFile, Weights};
use qwen3_text::{EmbeddingTokenizer, Limit, Prompts, RerankTokenizer, SpecialTokens, Truncate};
use std::collections::BTreeSet;
use std::path::Path;

/// A function that any bytes may be given.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of the folder of its seeds.
pub const TARGETS: [(&str, Target); 11] = [
    ("config", config),
    ("tokenizer", tokenizer),
    ("prompts", prompts),
    ("weights", weights),
    ("index", index),
    ("folder", folder),
    ("portable", portable),
    ("gguf", gguf),
    ("request", request),
    ("evaluation", evaluation),
    ("ranking", ranking),
];

/// Tensors above this are not asked for: a few bytes of header may name them,
/// but then the file ends before they do.
pub(crate) const MAX_NUMBERS: usize = 1 << 16;

/// `config.json`
pub fn config(data: &[u8]) {
    let _ = Config::from_json(data, Path::new("config.json"));
}

/// `tokenizer.json`, and texts with it.
pub fn tokenizer(data: &[u8]) {
    let path = Path::new("tokenizer.json");
    let text = "Gravity, <|im_end|> 12 times\u{300} \u{91cd}\u{529b} \u{1f600}\r\n\t <think>";
    for special in [SpecialTokens::Parse, SpecialTokens::Literal, SpecialTokens::Reject] {
        let limit = Limit { max_tokens: 20, truncate: Truncate::Right };
        if let Ok(tokenizer) = EmbeddingTokenizer::from_json(data, path, special)
            && let Ok(tokens) = tokenizer.tokenize("Query: ", text, limit)
        {
            assert!(tokens.input_ids.len() <= 20, "{} tokens", tokens.input_ids.len());
            let _ = tokenizer.decode(&tokens.input_ids, true);
        }
        if let Ok(tokenizer) = RerankTokenizer::from_json(data, path, special) {
            let limit = Limit { max_tokens: tokenizer.overhead_tokens() + 20, ..limit };
            let _ = tokenizer.tokenize("is it?", text, text, limit);
        }
    }
}

/// `config_sentence_transformers.json`
pub fn prompts(data: &[u8]) {
    if let Ok(prompts) = Prompts::from_json(data, Path::new("config_sentence_transformers.json")) {
        for name in prompts.names() {
            let _ = prompts.get(name);
        }
        let _ = (prompts.default_prompt(), prompts.similarity_fn_name());
    }
}

/// A safetensors file, and every tensor of it in every dtype.
pub fn weights(data: &[u8]) {
    let Ok(file) = TensorFile::from_bytes(data.to_owned()) else { return };
    let Ok(weights) = Weights::from_file(&file) else { return };
    let _ = (weights.dtype(), weights.parameters(), weights.all_in(&BTreeSet::new()));
    for stored in weights.tensors().unwrap_or_default() {
        let numbers = stored.shape.iter().try_fold(1, |product: usize, &n| product.checked_mul(n));
        if numbers.is_none_or(|numbers| numbers > MAX_NUMBERS) {
            continue;
        }
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
            let _ = weights.tensor(stored.name, stored.shape, dtype);
        }
        if let &[rows, columns] = stored.shape {
            for row in [0, rows.saturating_sub(1), rows] {
                let _ = weights.row(stored.name, [rows, columns], row as u32);
            }
        }
    }
}
