//! Everything that can go wrong between files and files, as values.

use crate::causes::{ColumnProblem, FilesChange, WrongLine};
use arrow_schema::{ArrowError, DataType};
use parquet::errors::ParquetError;
use std::io;
use std::path::{Path, PathBuf};

/// An error of a table.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum TableError {
    /// No file of that name, or none that matches.
    #[error("there is no table at `{}`; {hint}", .path.display())]
    NoInput { path: PathBuf, hint: &'static str },

    /// Files of nothing.
    #[error("nothing is in the files of the input, not even names of columns")]
    NoRows,

    /// A file that says nothing of its format.
    #[error(
        "`{}` isn't known as a table by its ending; name it .parquet, .arrow, .feather, .csv, .tsv, .jsonl or .txt",
        .path.display()
    )]
    UnknownFormat { path: PathBuf },

    /// A pattern that is none.
    #[error("`{pattern}` is no pattern of paths: {reason}")]
    Pattern { pattern: String, reason: String },

    /// A file can't be read.
    #[error("can't read `{}`", .path.display())]
    Read { path: PathBuf, source: io::Error },

    /// A file is not what its name says.
    #[error("`{}` is broken, or no {what}", .path.display())]
    Broken { path: PathBuf, what: &'static str, source: Reason },

    /// Rows that can't be read.
    #[error("`{}`, after row {row}", .path.display())]
    Rows { path: PathBuf, row: u64, source: Reason },

    /// A line that can't be read.
    #[error("line {line} of `{}` {reason}", .path.display())]
    Line {
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        reason: WrongLine,
    },

    /// A column that can't be read.
    #[error("column `{column}` of `{}` {problem}", .path.display())]
    Column { path: PathBuf, column: String, problem: ColumnProblem },

    /// A number that the type of its column doesn't hold.
    #[error(
        "column `{column}`: {number} can't be held exactly as {data_type}, which the column has for what other files have in it; write its numbers as strings, or leave it out with `--columns`"
    )]
    Number { column: String, number: String, data_type: Box<DataType> },

    /// A column that isn't there.
    #[error("`{}` has no column `{column}`; it has {}", .path.display(), names(.columns))]
    NoColumn { path: PathBuf, column: String, columns: Vec<String> },

    /// Nobody said which column has the texts.
    #[error(
        "`{}` has no column `text`; say with `--text-column` which one has the texts, of {}",
        .path.display(),
        names(.columns)
    )]
    WhichColumn { path: PathBuf, columns: Vec<String> },

    /// A column of two types.
    #[error(
        "column `{column}` is {found} in `{}`, and {expected} before; convert one of them",
        .path.display()
    )]
    Type { path: PathBuf, column: String, found: Box<DataType>, expected: Box<DataType> },

    /// A column that holds no texts.
    #[error("column `{column}` has values of the type {found}, not texts")]
    NoTexts { column: String, found: Box<DataType> },

    /// A template that can't be read.
    #[error("the template `{template}` {reason}")]
    Template { template: String, reason: String },

    /// A column that would be there twice.
    #[error(
        "a column `{column}` would be there twice; choose others with `--columns`, or name the results with `--vector-column` or `--score-column`"
    )]
    TwoColumns { column: String },

    /// Vectors alone, and something else beside them.
    #[error("npy holds vectors alone; leave columns out, or write parquet, arrow or jsonl")]
    OnlyVectors,

    /// Ranges of another model.
    #[error(
        "`{}` holds no ranges of {dimensions} dimensions; it takes float32 of [2, {dimensions}] in C order, the least numbers and then the greatest",
        .path.display()
    )]
    NoRanges { path: PathBuf, dimensions: usize },

    /// Ranges that can't be divided.
    #[error(
        "`{}` has the range {least} to {greatest} for dimension {dimension}, but a range goes from a number to a greater one; make ranges with a run over more texts",
        .path.display()
    )]
    BadRange {
        path: PathBuf,
        /// Counted from 0.
        dimension: usize,
        least: f32,
        greatest: f32,
    },

    /// An output can't be written.
    #[error("can't write `{}`", .path.display())]
    Write { path: PathBuf, source: Reason },

    /// A folder of somebody else.
    #[error(
        "`{}` holds other files; name a new folder, or an empty one",
        .path.display()
    )]
    NotOurs { path: PathBuf },

    /// Nobody knows what its parts are.
    #[error(
        "`{}` has parts of a run, but no manifest that says which; write elsewhere, or begin anew with `--force`",
        .path.display()
    )]
    NoManifest { path: PathBuf },

    /// A run that isn't the one that began.
    #[error(
        "`{}` was begun with {before}, and this run has {now}; write elsewhere, or begin anew with `--force`",
        .path.display()
    )]
    OtherJob { path: PathBuf, before: String, now: String },

    /// Other files than those that the run began with.
    #[error("`{}` was begun {change}, write elsewhere, or begin anew with `--force`", .path.display())]
    OtherFiles { path: PathBuf, change: FilesChange },

    /// A finished file of other rows.
    #[error("`{}` is complete, but of other files than the input has now; write elsewhere, or begin anew with `--force`", .path.display())]
    OtherContents { path: PathBuf },

    /// An input that isn't the one that the run began with.
    #[error(
        "`{}` has changed since `{}` was begun; write elsewhere, or begin anew with `--force`",
        .input.display(),
        .path.display()
    )]
    OtherInput { path: PathBuf, input: PathBuf },

    /// Somebody is there already.
    #[error("another run is writing `{}`; wait for it, or give each a `--shard` of its own", .path.display())]
    Busy { path: PathBuf },
}

/// Why a library refused.
pub type Reason = Box<dyn std::error::Error + Send + Sync>;

/// So that iterators of Arrow's batches can have our errors.
impl From<TableError> for ArrowError {
    fn from(error: TableError) -> Self {
        Self::ExternalError(Box::new(error))
    }
}

impl TableError {
    /// The error in one of Arrow's, or that.
    pub(crate) fn wrapped(error: ArrowError) -> Result<Self, ArrowError> {
        match error {
            ArrowError::ExternalError(inner) => match inner.downcast() {
                Ok(error) => Ok(*error),
                Err(inner) => Err(ArrowError::ExternalError(inner)),
            },
            other => Err(other),
        }
    }

    /// Reads failed.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }

    /// Writes failed, whichever library tells it.
    pub(crate) fn write<E: Into<Reason>>(path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::Write { path: path.to_owned(), source: plain(source.into()) }
    }

    /// Whether a disk is full.
    pub fn is_full_disk(&self) -> bool {
        let Self::Write { source, .. } = self else { return false };
        let io = source.downcast_ref::<io::Error>();
        io.is_some_and(|error| error.kind() == io::ErrorKind::StorageFull)
    }
}

/// The error of the system that a library has wrapped.
fn plain(reason: Reason) -> Reason {
    let reason = match reason.downcast::<ArrowError>() {
        Ok(arrow) => match *arrow {
            ArrowError::IoError(_, source) => return Box::new(source),
            other => Box::new(other) as Reason,
        },
        Err(other) => other,
    };
    match reason.downcast::<ParquetError>() {
        Ok(parquet) => match *parquet {
            ParquetError::External(source) => source,
            other => Box::new(other),
        },
        Err(other) => other,
    }
}

/// At most so many columns are named.
const NAMED: usize = 20;

fn names(columns: &[String]) -> String {
    let named: Vec<String> = columns.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    let rest = if columns.len() > NAMED { ", …" } else { "" };
    if named.is_empty() { "none".to_owned() } else { format!("{}{rest}", named.join(", ")) }
}
