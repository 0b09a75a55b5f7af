//! Proof that every backend computes Qwen3, and how fast it does.
//!
//! [`reference`] reads what Hugging Face Transformers computed, stage by stage;
//! [`compare`] holds a model against it and names the first stage that differs,
//! by the bounds of [`tolerance`]; [`report`] tells it. [`bench`] measures.

pub mod bench;
pub mod compare;
pub mod difference;
pub mod error;
pub mod parity;
pub mod plot;
pub mod python;
pub mod reference;
pub mod report;
pub mod tolerance;

pub use error::Error;

use std::path::{Path, PathBuf};

/// A path in the repository, as it was when this program was built.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
