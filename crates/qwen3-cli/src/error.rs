//! What ends the program early.

use std::io;
use std::path::PathBuf;

/// An error of the command line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine failed.
    #[error(transparent)]
    Engine(qwen3_engine::Error),

    /// Ctrl-C.
    #[error("{message}")]
    Cancelled {
        /// What was finished before it.
        message: String,
    },

    /// Nobody reads our output any more.
    #[error("broken pipe")]
    BrokenPipe,

    /// No text anywhere.
    #[error("no text given; pass it as an argument, with `--input FILE`, or on standard input")]
    NoInput,

    /// Text both as arguments and from a file.
    #[error("text given both as arguments and with `--input`; use one of them")]
    TwoInputs,

    /// An input can't be read.
    #[error("can't read `{name}`")]
    Read {
        /// The file, or standard input.
        name: String,
        /// What the system said.
        source: io::Error,
    },

    /// A line is not text.
    #[error("line {line} of `{name}` is not valid UTF-8; convert the file first")]
    Utf8 {
        /// The file, or standard input.
        name: String,
        /// Counted from 1.
        line: usize,
    },

    /// A line is too long to be one text.
    #[error("line {line} of `{name}` is longer than {} MiB; split it into texts", .max_bytes >> 20)]
    LongLine {
        /// The file, or standard input.
        name: String,
        /// Counted from 1.
        line: usize,
        /// The limit.
        max_bytes: usize,
    },

    /// A line is not JSON.
    #[error("line {line} of `{name}` is not JSON; leave `--field` out to read plain lines")]
    Json {
        /// The file, or standard input.
        name: String,
        /// Counted from 1.
        line: usize,
        /// Where and why.
        source: serde_json::Error,
    },

    /// A line of JSON lacks the field, or it is no text.
    #[error("line {line} of `{name}` has no string in the field `{field}`")]
    Field {
        /// The file, or standard input.
        name: String,
        /// Counted from 1.
        line: usize,
        /// The field.
        field: String,
    },

    /// An output can't be written.
    #[error("can't write `{}`", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// Standard output can't be written.
    #[error("can't write to standard output")]
    Stdout(#[source] io::Error),

    /// Binary data would go to a terminal.
    #[error("{format} is binary; write it to a file with `--output FILE`, or into a pipe")]
    BinaryToTerminal {
        /// The format.
        format: &'static str,
    },

    /// Ctrl-C can't be caught.
    #[error("can't listen for Ctrl-C")]
    Signal(#[source] ctrlc::Error),
}

impl Error {
    /// The message and those of its causes, in one line.
    pub fn with_causes(&self) -> String {
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        message
    }
}

impl From<qwen3_engine::Error> for Error {
    fn from(error: qwen3_engine::Error) -> Self {
        match error {
            qwen3_engine::Error::Cancelled => Self::Cancelled { message: "cancelled".to_owned() },
            other => Self::Engine(other),
        }
    }
}
