//! What ends the program early.

use qwen3_engine::{Kind, MINI, OptionName};
use std::io;
use std::path::PathBuf;

/// An error of the command line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine failed.
    #[error(transparent)]
    Engine(qwen3_engine::Error),

    /// An embedding model is not here, and can't be downloaded.
    #[error("{reason}; {way_out}")]
    NoModel { reason: String, way_out: String },

    /// An option is out of its range.
    #[error("`{flag}` is {value}, but {range}")]
    Flag { flag: &'static str, value: usize, range: String },

    /// A model of another kind than the command wants.
    #[error(
        "`{model}` looks like {found}, not like {}; use `qwen3 {}` for it, or say what it is with `--kind {wanted}`",
        .wanted.in_words(),
        command_for(*found)
    )]
    WrongKind { model: String, found: Kind, wanted: Kind },

    /// One of the texts is refused.
    #[error("text {number}: {reason}")]
    Text {
        /// Counted from 1.
        number: usize,
        reason: qwen3_engine::TextError,
    },

    /// `--field` without lines to read.
    #[error("`--field` is for lines of JSON; use it with `--input FILE` or standard input")]
    FieldOfArguments,

    /// The same file for input and output.
    #[error("`{}` is read by this run; write to another file", .path.display())]
    SameFile { path: PathBuf },

    /// The doctor has bad news, which stand above.
    #[error(
        "{count} of {of} checks failed; don't use what they name, and attach the file of `--json` to a bug report"
    )]
    Distrusted { count: usize, of: usize },

    /// The file to be written is there.
    #[error("`{}` exists; write elsewhere with `--out`, or replace a file with `--force`", .path.display())]
    Exists { path: PathBuf },

    /// A model into a pipe.
    #[error("`--out` takes the path of a file, which is read back before it has its name")]
    OutStdout,

    /// `--trim-head` for a model without such a head.
    #[error(
        "`--trim-head` is for rerankers, this model looks like {kind}; leave it out, or say what the model is with `--kind`"
    )]
    TrimHead { kind: Kind },

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

    /// A run on tables failed.
    #[error(transparent)]
    Tables(#[from] crate::tables::TablesError),

    /// An input can't be read.
    #[error("can't read `{name}`")]
    Read { name: String, source: io::Error },

    /// A line is not text.
    #[error("line {line} of `{name}` is not valid UTF-8; convert the file first")]
    Utf8 {
        name: String,
        /// Counted from 1.
        line: usize,
    },

    /// A file in the encoding of Windows.
    #[error("`{name}` is UTF-16; save it as UTF-8, in PowerShell with `Out-File -Encoding utf8`")]
    Utf16 { name: String },

    /// A line is too long to be one text.
    #[error("line {line} of `{name}` is longer than {} MiB; split it into texts", .max_bytes >> 20)]
    LongLine {
        name: String,
        /// Counted from 1.
        line: usize,
        max_bytes: usize,
    },

    /// A line is not JSON.
    #[error("line {line} of `{name}` is not JSON; leave `--field` out to read plain lines")]
    Json {
        name: String,
        /// Counted from 1.
        line: usize,
        /// Where and why.
        source: serde_json::Error,
    },

    /// A line of JSON lacks the field, or it is no text.
    #[error("line {line} of `{name}` has no string in the field `{field}`")]
    Field {
        name: String,
        /// Counted from 1.
        line: usize,
        field: String,
    },

    /// An output can't be written.
    #[error("can't write `{}`", .path.display())]
    Write { path: PathBuf, source: io::Error },

    /// A temporary file can't be written.
    #[error(
        "can't keep vectors in `{}` until their number is known; write them to a file with `--output`, or set `TMPDIR`",
        .folder.display()
    )]
    Spool {
        /// Where temporary files are.
        folder: PathBuf,
        source: io::Error,
    },

    /// Standard output can't be written.
    #[error("can't write to standard output")]
    Stdout(#[source] io::Error),

    /// Binary data would go to a terminal.
    #[error("{format} is binary; write it to a file with `--output FILE`, or into a pipe")]
    BinaryToTerminal { format: &'static str },

    /// The server can't listen.
    #[error(transparent)]
    Listen(#[from] qwen3_server::ListenError),

    /// A model of the server doesn't load.
    #[error("the {what} `{model}` can't be loaded: {reason}")]
    Serve {
        /// Embedding model or reranker.
        what: &'static str,
        model: String,
        reason: String,
    },

    /// A file of keys can't be read.
    #[error("can't read keys from `{}`; write one key a line", .path.display())]
    KeyFile { path: PathBuf, source: io::Error },

    /// A file of keys can't be used.
    #[error("can't read keys from `{}`", .path.display())]
    Keys { path: PathBuf, source: qwen3_server::ApiKeyError },

    /// The embedding model lacks the prompt that the server would use.
    #[error("`--default-prompt-name`: {reason}")]
    DefaultPrompt { reason: qwen3_engine::TextError },

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

    /// An evaluation failed.
    #[error(transparent)]
    Eval(Box<crate::eval::EvalError>),

    /// Training failed.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Train(qwen3_train::Error),

    /// Signals can't be caught.
    #[error("can't listen for Ctrl-C")]
    Signal(#[source] io::Error),
}

impl Error {
    /// The same error after `finished` texts of the input: a text has another number.
    pub fn after(self, finished: usize) -> Self {
        match self {
            Self::Text { number, reason } => Self::Text { number: finished + number, reason },
            other => other,
        }
    }

    /// The same error for who wants any embedding model.
    pub fn or_mini(self) -> Self {
        let Self::Engine(reason) = self else { return self };
        match way_without_network(&reason) {
            Some(way_out) => Self::NoModel { reason: reason.to_string(), way_out },
            None => Self::Engine(reason),
        }
    }

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
        use qwen3_engine::Error as Engine;
        match error {
            Engine::Cancelled => Self::Cancelled { message: "cancelled".to_owned() },
            Engine::Input { input, reason } => Self::Text { number: input + 1, reason },
            Engine::Option { option, value, range } => {
                Self::Flag { flag: flag_of(option), value, range }
            }
            Engine::WrongKind { model, found, wanted } => Self::WrongKind { model, found, wanted },
            Engine::Exists { path } => Self::Exists { path },
            Engine::TrimHead { kind } => Self::TrimHead { kind },
            other => Self::Engine(other),
        }
    }
}

impl From<crate::eval::EvalError> for Error {
    fn from(error: crate::eval::EvalError) -> Self {
        Self::Eval(Box::new(error))
    }
}

#[cfg(feature = "train")]
impl From<qwen3_train::Error> for Error {
    fn from(error: qwen3_train::Error) -> Self {
        match error {
            qwen3_train::Error::Engine(error) => error.into(),
            qwen3_train::Error::Stopped { .. } => Self::Cancelled { message: error.to_string() },
            error => Self::Train(error),
        }
    }
}

/// What else there is, where an embedding model can't be downloaded.
pub fn way_without_network(error: &qwen3_engine::Error) -> Option<String> {
    use qwen3_engine::Error as Engine;
    let is_away =
        matches!(error, Engine::Offline { .. } | Engine::Download { .. } | Engine::NoCacheFolder);
    let mini = MINI.filter(|_| is_away)?;
    Some(format!("`--model {mini}` needs no download, it is inside this program"))
}

/// The flag of an option of the engine.
fn flag_of(option: OptionName) -> &'static str {
    match option {
        OptionName::Threads => "--threads",
        OptionName::MaxBatchTokens => "--max-batch-tokens",
        _ => "--max-tokens",
    }
}

/// The command that takes models of this kind.
fn command_for(kind: Kind) -> &'static str {
    match kind {
        Kind::Embedding => "embed",
        _ => "rerank",
    }
}
