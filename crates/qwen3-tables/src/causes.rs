//! What is wrong with a line, a column, or the list of files.

use arrow_schema::ArrowError;
use std::path::PathBuf;

/// Why a line can't be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum WrongLine {
    /// Something else, or nothing that JSON has.
    #[error("is no JSON object: {reason}")]
    Json { reason: String },

    /// An object that goes on in the next line.
    #[error("has a JSON object without its end; write each object into one line")]
    Open,

    /// More or fewer than there are columns.
    #[error("has {found} values, and the first line names {expected} columns")]
    Values { found: u64, expected: u64 },

    /// Other bytes than those of text.
    #[error("isn't valid UTF-8; convert the file first")]
    Utf8,

    /// Too long to be one text.
    #[error("is longer than {} MiB; split it into texts", .max_bytes >> 20)]
    Long { max_bytes: usize },
}

/// Why a column can't be read.
#[derive(Clone, Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum ColumnProblem {
    /// A number that isn't the same in any type that the other ones have.
    #[error(
        "has the number {number} in line {line}, and no type that holds it and the column's other numbers exactly; write them as strings, or leave the column out with `--columns`"
    )]
    Number { number: String, line: u64 },

    /// Values of different shape.
    #[error(
        "has {found} in line {line}, and {before} before; write the same everywhere, or leave the column out with `--columns`"
    )]
    Mixed { found: &'static str, before: &'static str, line: u64 },

    /// Lists in lists in lists.
    #[error("is nested deeper than {levels} levels in line {line}; leave it out with `--columns`")]
    Deep { levels: usize, line: u64 },

    /// Parquet that can't be unpacked.
    #[error(
        "is compressed with {codec}, which isn't read; write the file with zstd, snappy, lz4 or gzip, or leave the column out with `--columns`"
    )]
    Compression { codec: &'static str },
}

/// How the files of a run are others than those it was begun with.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum FilesChange {
    /// One is not among them any more.
    #[error("with `{name}` too, which isn't in the input now; add it")]
    Gone { name: String },

    /// One is new.
    #[error("without `{}`, which is in the input now; leave it out, or give it a run of its own", .path.display())]
    New { path: PathBuf },

    /// They stand in another order.
    #[error("with the files in another order: `{before}` stood where `{}` is now; name them in that order", .now.display())]
    Order { before: String, now: PathBuf },
}

impl WrongLine {
    /// What serde says of a line, with the place in it.
    pub(crate) fn json(error: &serde_json::Error) -> Self {
        let said = error.to_string();
        let what = said.split(" at line ").next().unwrap_or_default();
        Self::Json { reason: format!("{what}, at byte {}", error.column()) }
    }

    /// What Arrow says of a line.
    pub(crate) fn arrow(error: ArrowError) -> Self {
        match error {
            ArrowError::JsonError(reason) => Self::Json { reason },
            other => Self::Json { reason: other.to_string() },
        }
    }
}
