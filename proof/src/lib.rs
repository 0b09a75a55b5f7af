//! Proof that every backend computes Qwen3, and how fast it does.
//!
//! [`reference`] reads what Hugging Face Transformers computed, stage by stage;
//! [`compare`] holds a model against it and names the first stage that differs,
//! by the bounds of [`tolerance`]; [`report`] tells it. [`bench`] measures.

pub mod bench;
pub mod compare;
pub mod difference;
pub mod dtypes;
pub mod error;
pub mod parity;
pub mod plot;
pub mod python;
pub mod reference;
pub mod report;
pub mod tolerance;

pub use error::Error;

use std::path::{Path, PathBuf};

/// A path in the repository that this program was built in; where that is
/// another machine's, in the folder that this runs in.
pub fn in_repository(path: &str) -> PathBuf {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match built_in.exists() {
        true => built_in.join(path),
        false => PathBuf::from(path),
    }
}
