//! GGUF files of Qwen3 models, as llama.cpp writes them: what is in one, and what it means
//! to a loader that knows checkpoints of Hugging Face.
//!
//! ```
//! use qwen3_gguf::{Description, GgufFile, tokenizer_json, weights};
//! # fn main() -> Result<(), qwen3_gguf::Error> {
//! # let path = "../../tests/fixtures/gguf/tiny-embedding-q8_0.gguf";
//! let file = GgufFile::open(path.as_ref())?;
//! let model = Description::of(&file)?;
//! assert_eq!(model.config.hidden_size, 32);
//!
//! let weights = weights(&file, &model)?;
//! let weight = &weights["model.layers.0.self_attn.q_proj.weight"];
//! assert_eq!(weight.shape, [64, 32]);
//! assert_eq!(weight.widened(&file).len(), 64 * 32);
//!
//! let tokenizer = tokenizer_json(&file)?;
//! assert!(tokenizer.starts_with(br#"{"version":"1.0""#));
//! # Ok(())
//! # }
//! ```
//!
//! The layout is that of the specification in `ggml`'s `docs/gguf.md`, of versions 2 and 3 in
//! little-endian order. Files are untrusted: whatever is wrong with one is an [`Error`] when it
//! is opened or asked. Nothing is computed here but float32 numbers of stored blocks and
//! blocks of float32 numbers, plainly and exactly; fast bodies are compared with these.

mod description;
mod error;
mod file;
mod header;
mod metadata;
mod names;
mod tensors;
mod tokenizer;
mod value;

pub use description::{Description, ModelConfig, Pooling, Purpose};
pub use error::{Error, Fault};
pub use file::GgufFile;
pub use metadata::Metadata;
pub use names::{checkpoint_name, ggml_name, weights};
pub use qwen3_dtypes::Dtype;
pub use tensors::Tensor;
pub use tokenizer::tokenizer_json;
pub use value::{Array, Value};
