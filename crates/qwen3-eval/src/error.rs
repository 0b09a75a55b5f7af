//! Everything that can go wrong in an evaluation, as values.

use crate::TaskType;
use std::io;
use std::path::{Path, PathBuf};

/// An error of an evaluation.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum Error {
    /// A file of Parquet can't be read.
    #[error(transparent)]
    Tables(Box<qwen3_tables::TableError>),

    /// Numbers that make no matrix.
    #[error("{numbers} numbers don't make rows of {width}; give whole vectors of one width")]
    Shape { numbers: usize, width: usize },

    /// Vectors of two widths.
    #[error(
        "vectors have {found} numbers, those to compare with {expected}; cut both to one width"
    )]
    Width { found: usize, expected: usize },

    /// NaN or infinity.
    #[error(
        "`{what}` {row}, counted from 0, has NaN or infinity; compute it again, or leave it out"
    )]
    NotFinite { what: &'static str, row: usize },

    /// A text whose vector is none.
    #[error("the model gives NaN or infinity for the text `{text}`; try another dtype or device")]
    VectorOfText { text: String },

    /// Lists that belong together and don't.
    #[error("there are {found} `{what}`, expected {expected}; each needs its counterpart")]
    Count { what: &'static str, found: usize, expected: usize },

    /// Too little to compute from.
    #[error("there are {found} `{what}`, at least {least} are needed")]
    TooFew { what: &'static str, found: usize, least: usize },

    /// More than the arithmetic counts.
    #[error("there are {found} `{what}`, at most {most} are possible; take a sample")]
    TooMany { what: &'static str, found: usize, most: usize },

    /// An option is out of its range.
    #[error("`{setting}` is {value}, but {range}")]
    Setting { setting: &'static str, value: String, range: &'static str },

    /// The correlation with something that never changes.
    #[error("all `{what}` are the same, so nothing correlates with them; give some that differ")]
    Constant { what: &'static str },

    /// Nothing to tell apart.
    #[error("all `{what}` are one class; at least two are needed to tell them apart")]
    OneClass { what: &'static str },

    /// A label that is neither 0 nor 1.
    #[error("label {row}, counted from 0, is {label}; a pair's label is 1 or 0")]
    PairLabel { row: usize, label: i64 },

    /// An index beyond what it points into.
    #[error("`{what}` {row}, counted from 0, points at {index}, but there are only {len}")]
    Index { what: &'static str, row: usize, index: usize, len: usize },

    /// What is wrong with a file, where its reader didn't say which.
    #[error("`{path}`: {reason}")]
    In { path: PathBuf, reason: Box<Error> },

    /// No query can be evaluated.
    #[error(
        "no query of the run has a judgement; do the ids of the run and of the qrels belong together?"
    )]
    NothingJudged,

    /// Qrels without a row.
    #[error("there are no judgements; `qrels` needs a row for at least one query")]
    NoJudgements,

    /// An id that nothing has.
    #[error(
        "{place} names `{id}`, which `{among}` doesn't have; remove the row, or add what it names"
    )]
    UnknownId { place: String, id: String, among: String },

    /// An id twice.
    #[error("{place} has the id `{id}` again; every id may stand once")]
    DuplicateId { place: String, id: String },

    /// A score that can't be ranked.
    #[error("the score of `{document}` for the query `{query}` is NaN; compute it again")]
    NanScore { query: String, document: String },

    /// A file can't be read.
    #[error("can't read `{path}`")]
    Read { path: PathBuf, source: io::Error },

    /// A file can't be written.
    #[error("can't write `{path}`")]
    Write { path: PathBuf, source: io::Error },

    /// A file without a row.
    #[error("`{path}` has no row; there is nothing to evaluate")]
    Empty { path: PathBuf },

    /// A line is not text.
    #[error("line {line} of `{path}` is not valid UTF-8; convert the file first")]
    Utf8 { path: PathBuf, line: usize },

    /// A line is too long to be one row.
    #[error("line {line} of `{path}` is longer than {} MiB; is it one row a line?", .max_bytes >> 20)]
    LongLine { path: PathBuf, line: usize, max_bytes: usize },

    /// A line is no JSON object.
    #[error("line {line} of `{path}` is no JSON object")]
    Json { path: PathBuf, line: usize, source: serde_json::Error },

    /// A row lacks a column, or it is something else.
    #[error("line {line} of `{path}` has no {wanted} in the column `{column}`{}", but(.found))]
    Column {
        path: PathBuf,
        line: usize,
        column: String,
        wanted: &'static str,
        /// What stands there, shortened; none where nothing does.
        found: Option<String>,
    },

    /// A column that is said to be there, and isn't.
    #[error("`{path}` has no column `{column}`; there are: {columns}")]
    NoColumn { path: PathBuf, column: String, columns: String },

    /// Another name for a column that isn't read.
    #[error("`--column` names `{name}`, which isn't read of `{path}`; these are: {known}")]
    UnknownColumn { path: PathBuf, name: String, known: String },

    /// Lists in one row that don't belong together.
    #[error("line {line} of `{path}` has {found}; {expected}")]
    Lists { path: PathBuf, line: usize, found: String, expected: &'static str },

    /// A split without judgements or rows.
    #[error("`{path}` has no split `{split}`; {}", there_are(.splits))]
    NoSplit { path: PathBuf, split: String, splits: String },

    /// Data whose type can't be told.
    #[error(
        "can't tell what `{path}` is for from its columns, {columns}; say it with `--task`, or name them with `--column`"
    )]
    UnknownData { path: PathBuf, columns: String },

    /// A folder without anything that is read.
    #[error(
        "`{path}` has neither corpus.jsonl nor a file of rows (.jsonl, .parquet, .csv or .tsv)"
    )]
    NoData { path: PathBuf },

    /// Data that a type of task can't be computed of.
    #[error("`{path}` isn't data for {task}, which needs {needs}; it has {found}")]
    Unfit { path: PathBuf, task: TaskType, needs: String, found: String },

    /// An option that would change nothing.
    #[error("`{option}` has no effect on `{path}`: {reason}; leave it out")]
    NoEffect { path: PathBuf, option: &'static str, reason: String },

    /// A score that a type of task doesn't have.
    #[error("{task} of these data has no score `{name}`; there are: {known}")]
    UnknownScore { task: TaskType, name: String, known: String },

    /// A type of task that there isn't.
    #[error("there is no task `{name}`; there are: {known}")]
    UnknownTask { name: String, known: String },

    /// Data in a form that isn't read here.
    #[error("`{path}` is {form}, which is not read here; {way_out}")]
    Form { path: PathBuf, form: &'static str, way_out: &'static str },

    /// A line with another number of fields, or with something else in one.
    #[error("line {line} of `{path}` is not `{expected}`")]
    Fields { path: PathBuf, line: usize, expected: &'static str },

    /// Labels of both kinds.
    #[error("some labels are numbers and others text; make all of them one or the other")]
    MixedLabels,

    /// An id that a run file can't hold.
    #[error(
        "`{id}` is empty or has white space, which separates the fields of a TREC file; name it otherwise"
    )]
    TrecId { id: String },
}

impl Error {
    /// The same error, with the file that it is about.
    pub(crate) fn of_file(self, path: &Path) -> Self {
        Self::In { path: path.to_owned(), reason: Box::new(self) }
    }
}

fn there_are(splits: &str) -> String {
    match splits {
        "" => "it has no file that is read (.tsv, .jsonl or .parquet)".to_owned(),
        splits => format!("there are: {splits}"),
    }
}

fn but(found: &Option<String>) -> String {
    found.as_ref().map(|found| format!(", but `{found}`")).unwrap_or_default()
}

/// Checks that two lists have the same length.
pub(crate) fn same_count(what: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Count { what, found, expected }) }
}

/// Checks that there is enough of something.
pub(crate) fn at_least(what: &'static str, found: usize, least: usize) -> Result<(), Error> {
    if found >= least { Ok(()) } else { Err(Error::TooFew { what, found, least }) }
}

/// Checks that every number is one.
pub(crate) fn all_finite(what: &'static str, numbers: &[f64]) -> Result<(), Error> {
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(row) => Err(Error::NotFinite { what, row }),
        None => Ok(()),
    }
}
