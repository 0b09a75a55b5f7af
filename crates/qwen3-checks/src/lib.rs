//! What a device, a build or real weights are checked and measured with:
//! numbers that others [published] of the real weights, and [random_checkpoint]s
//! of the same shapes. For `qwen3 doctor` and `cargo xtask`, not for applications.

pub mod published;
mod random_checkpoint;

pub use published::{Check, Published};
pub use random_checkpoint::random_checkpoint;

/// A check that can't be made.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum Error {
    /// The model doesn't load or compute.
    #[error(transparent)]
    Engine(#[from] qwen3_engine::Error),

    /// A random checkpoint can't be written.
    #[error("can't write `{path}`")]
    Write { path: std::path::PathBuf, source: std::io::Error },

    /// No published model has this size.
    #[error("there is no size `{size}`; choose one of {known}")]
    UnknownSize { size: String, known: String },
}
