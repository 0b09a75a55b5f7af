//! What ends the program early.

use std::io;
use std::path::PathBuf;

/// An error of the command line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine failed.
    #[error(transparent)]
    Engine(qwen3_engine::Error),

    /// An option is out of its range.
    #[error("`{flag}` is {value}, but {range}")]
    Flag {
        /// As it is typed.
        flag: &'static str,
        /// Its value.
        value: usize,
        /// What it may be.
        range: String,
    },

    /// A model of another kind than the command wants.
    #[error("{message}; use `qwen3 {command}` for it, or say what it is with `--kind`")]
    WrongKind {
        /// What is wrong.
        message: String,
        /// The command that takes such models.
        command: &'static str,
    },

    /// One of the texts is refused.
    #[error("text {number}: {reason}")]
    Text {
        /// Counted from 1.
        number: usize,
        /// Why.
        reason: qwen3_engine::TextError,
    },

    /// `--field` without lines to read.
    #[error("`--field` is for lines of JSON; use it with `--input FILE` or standard input")]
    FieldOfArguments,

    /// The same file for input and output.
    #[error("`{}` is both `--input` and `--output`; write to another file", .path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },

    /// The doctor has bad news, which stand above.
    #[error(
        "{count} of {of} checks failed; don't use what they name, and attach the file of `--json` to a bug report"
    )]
    Distrusted {
        /// Checks that failed.
        count: usize,
        /// All checks.
        of: usize,
    },

    /// The file to be written is there.
    #[error("`{}` exists; write elsewhere with `--out`, or replace a file with `--force`", .path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },

    /// `--trim-head` for a model without such a head.
    #[error(
        "`--trim-head` is for rerankers, this model looks like {kind}; leave it out, or say what the model is with `--kind`"
    )]
    TrimHead {
        /// What the model is.
        kind: qwen3_engine::Kind,
    },

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

    /// The server can't listen.
    #[error(transparent)]
    Listen(#[from] qwen3_server::ListenError),

    /// A model of the server doesn't load.
    #[error("the {what} `{model}` can't be loaded: {reason}")]
    Serve {
        /// Embedding model or reranker.
        what: &'static str,
        /// As it was asked for.
        model: String,
        /// Why.
        reason: String,
    },

    /// A file of keys can't be read.
    #[error("can't read keys from `{}`; write one key a line", .path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// A file of keys can't be used.
    #[error("can't read keys from `{}`", .path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Why.
        source: qwen3_server::ApiKeyError,
    },

    /// The embedding model lacks the prompt that the server would use.
    #[error("`--default-prompt-name`: {reason}")]
    DefaultPrompt {
        /// What there is.
        reason: qwen3_engine::TextError,
    },

    /// The runtime of the server doesn't start.
    #[error("can't start the server's threads")]
    Runtime(#[source] io::Error),

    /// Spans are asked for that this program can't send.
    #[cfg(not(feature = "otlp"))]
    #[error("`--otlp-endpoint`: this program sends no spans; build it with `--features otlp`")]
    NoSpans,

    /// Spans can't be sent there.
    #[cfg(feature = "otlp")]
    #[error(transparent)]
    Otlp(#[from] qwen3_otlp::OtlpError),

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
            qwen3_engine::Error::Input { input, reason } => {
                Self::Text { number: input + 1, reason }
            }
            qwen3_engine::Error::Option { option, value, range } => match option {
                "max_batch_tokens" => Self::Flag { flag: "--batch-tokens", value, range },
                "threads" => Self::Flag { flag: "--threads", value, range },
                _ => Self::Flag { flag: "--max-tokens", value, range },
            },
            qwen3_engine::Error::WrongKind { model, found, wanted } => {
                let message = format!("`{model}` looks like {found}, not like {wanted}");
                let command = if wanted == "a reranker" { "embed" } else { "rerank" };
                Self::WrongKind { message, command }
            }
            qwen3_engine::Error::Exists { path } => Self::Exists { path },
            qwen3_engine::Error::TrimHead { kind } => Self::TrimHead { kind },
            other => Self::Engine(other),
        }
    }
}
