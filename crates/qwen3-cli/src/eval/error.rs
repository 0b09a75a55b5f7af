//! What can go wrong in an evaluation beside its data.

use qwen3_engine::Kind;
use std::collections::HashSet;
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

    /// The vectors of this run can't be kept until it ends.
    #[error("can't keep vectors in `{}` while they are needed; set `TMPDIR` to a folder with room", .folder.display())]
    Temporary { folder: PathBuf, source: io::Error },

    /// A file of vectors is not what was written.
    #[error("`{}` is no file of vectors; remove it, or name another folder with `--cache`", .path.display())]
    NoCache { path: PathBuf },

    /// The picture can't be drawn.
    #[error("can't draw `{}`: {message}", .path.display())]
    Plot { path: PathBuf, message: String },

    /// A flag that the data or the settings don't go with.
    #[error("`{flag}` {reason}")]
    NotHere { flag: &'static str, reason: String },

    /// The same setting, or the same data, twice.
    #[error("`{flag}` has `{value}` twice; name each once")]
    Twice { flag: &'static str, value: String },

    /// Two inputs whose results have one name.
    #[error(
        "results of `{first}` and of `{second}` would be the same file `{name}`; rename one, or give each an `--output` of its own"
    )]
    SameResult { first: String, second: String, name: String },

    /// What is to be merged with is something else.
    #[error("`{}` has no result of this data set in mteb's form; name another folder with `--output`", .path.display())]
    NoResult { path: PathBuf },

    /// A model of another kind than its flag takes.
    #[error(
        "`{model}` looks like {}, not like {}; `--model` takes embedding models, `--reranker` rerankers; if it is one after all, write it with `qwen3 convert --kind {wanted}` and name that file",
        .found.in_words(),
        .wanted.in_words()
    )]
    WrongKind { model: String, found: Kind, wanted: Kind },

    /// What is no path can't be had from the hub either.
    #[error("there is no file or folder `{name}`, and from the hub: {reason}")]
    NoDataSet { name: String, reason: Box<qwen3_engine::Error> },

    /// A data set without a file that is read here.
    #[error(
        "`{name}` has no file that is read here (.jsonl, .parquet, .csv or .tsv) on the hub, but: {found}; a folder of it is `owner/name/folder`"
    )]
    EmptyDataSet { name: String, found: String },

    /// A file of instructions without one.
    #[error("`{}` has no instruction; write one a line", .path.display())]
    NoInstruction { path: PathBuf },
}

impl EvalError {
    /// A flag that doesn't go with the others or the data, and why.
    pub fn not_here(flag: &'static str, reason: impl Into<String>) -> Self {
        Self::NotHere { flag, reason: reason.into() }
    }
}

/// Checks that what a flag names differs.
pub fn each_once<T: ToString>(
    flag: &'static str,
    values: impl IntoIterator<Item = T>,
) -> Result<(), EvalError> {
    let mut seen = HashSet::new();
    match values
        .into_iter()
        .map(|value| value.to_string())
        .find(|value| !seen.insert(value.clone()))
    {
        Some(value) => Err(EvalError::Twice { flag, value }),
        None => Ok(()),
    }
}

impl From<qwen3_eval::Error> for crate::error::Error {
    fn from(error: qwen3_eval::Error) -> Self {
        EvalError::from(error).into()
    }
}
