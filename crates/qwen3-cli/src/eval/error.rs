//! What can go wrong in an evaluation beside its data.

use std::io;
use std::path::PathBuf;

/// An error of `qwen3 eval`.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The data, or what is computed of them.
    #[error(transparent)]
    Data(#[from] qwen3_eval::Error),

    /// The vectors can't be kept.
    #[error(
        "can't keep vectors in `{}`; name another folder with `--cache`, or use `--no-cache`",
        .path.display()
    )]
    Cache { path: PathBuf, source: io::Error },

    /// A file of vectors is not what was written.
    #[error("`{}` is no file of vectors; remove it, or name another folder with `--cache`", .path.display())]
    NoCache { path: PathBuf },

    /// The picture can't be written.
    #[error("can't draw `{}`: {message}", .path.display())]
    Plot { path: PathBuf, message: String },

    /// A flag that the data or the settings don't go with.
    #[error("`{flag}` {reason}")]
    NotHere { flag: &'static str, reason: &'static str },

    /// A file of instructions without one.
    #[error("`{}` has no instruction; write one a line", .path.display())]
    NoInstruction { path: PathBuf },
}

impl From<qwen3_eval::Error> for crate::error::Error {
    fn from(error: qwen3_eval::Error) -> Self {
        Self::Eval(error.into())
    }
}
