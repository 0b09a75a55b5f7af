//! What ends a proof before it has an answer.

use std::path::PathBuf;

/// An error of the proofs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine failed where it must not.
    #[error(transparent)]
    Engine(#[from] qwen3_engine::Error),

    /// A file can't be read.
    #[error("can't read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A file can't be written.
    #[error("can't write `{}`", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A file is not what it should be.
    #[error("`{}` is not as the reference script writes it: {what}; make it again", .path.display())]
    Reference {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },

    /// A device that was asked for isn't there.
    #[error("no device `{name}` here: {reason}")]
    NoDevice {
        /// The device's name as it was asked for.
        name: String,
        /// Why it isn't there.
        reason: String,
    },

    /// Another program is missing or failed.
    #[error("{program} failed: {message}")]
    Program {
        /// The command, or what it was for.
        program: String,
        /// Its exit status, or why it didn't start.
        message: String,
    },

    /// A picture can't be drawn.
    #[error("can't draw `{}`: {message}", .path.display())]
    Plot {
        /// The file.
        path: PathBuf,
        /// What the plotting crate said.
        message: String,
    },

    /// An argument that makes no sense.
    #[error("{0}")]
    Argument(String),
}

impl From<qwen3_checks::Error> for Error {
    fn from(error: qwen3_checks::Error) -> Self {
        match error {
            qwen3_checks::Error::Engine(error) => Self::Engine(error),
            qwen3_checks::Error::Write { path, source } => Self::Write { path, source },
            other => Self::Argument(other.to_string()),
        }
    }
}
