//! What ends a run on tables.

use super::step::Place;
use crate::error::Error;
use qwen3_tables::TableError;
use std::path::PathBuf;

/// An error of a run on tables.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// A table is asked for without one to read.
    #[error("tables come from files; name them with `--input`")]
    NoInput,

    /// `--field` for a table.
    #[error(
        "`--field` is for lines of JSON that are read as texts; for tables say `--text-column`"
    )]
    Field,

    /// A table without a name.
    #[error("a table is written to a file or folder; name it with `--output`")]
    NoOutput,

    /// A format that has no rows of columns.
    #[error("tables are written as parquet, arrow, jsonl or npy; choose one with `--format`")]
    Format,

    /// A file that says nothing of its format.
    #[error("`{}` ends in nothing that tells a format; name it .parquet, .arrow, .jsonl or .npy, or say `--format`", .path.display())]
    Ending { path: PathBuf },

    /// A row without a text.
    #[error(
        "row {row} of `{file}` has no text; leave such rows out with `--on-null skip`, or take them as empty with `--on-null empty`"
    )]
    NullText {
        file: String,
        /// Counted from 1.
        row: u64,
    },

    /// A row's text is refused.
    #[error("row {row} of `{file}`: {reason}")]
    Row {
        file: String,
        /// Counted from 1.
        row: u64,
        reason: qwen3_engine::TextError,
    },

    /// A file that no run on tables has finished, or one that was changed since.
    #[error(
        "`{}` exists, and isn't what a run on tables left there; write elsewhere, or replace it with `--force`", .path.display()
    )]
    Exists { path: PathBuf },

    /// What others have finished would be lost.
    #[error(
        "`--force` begins anew for all shares; run it once without `--shard`, or remove the folder"
    )]
    ForceShard,

    /// One share would take the place of another.
    #[error("shares are parts of one folder; name a folder with `--output`, not a file")]
    ShardOfFile,

    /// It would be read by the next run.
    #[error(
        "`{}` is in the folder `{}`, which is read; write elsewhere", .output.display(), .input.display()
    )]
    Inside { output: PathBuf, input: PathBuf },

    /// Several machines would find different ranges.
    #[error(
        "with `--shard`, int8 and uint8 need the same `--ranges` on every machine; make them with a run of a few rows"
    )]
    RangesOfShard,

    /// The best of a table.
    #[error(
        "`--top-n` is for documents of one query; a table's rows keep their order, each with its score"
    )]
    TopN,

    /// The disk is full.
    #[error(
        "the disk is full; {rows} rows are kept, and the same command goes on from there once there is room"
    )]
    FullDisk { rows: u64, source: TableError },

    /// A table can't be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        TablesError::from(error).into()
    }
}

impl Error {
    /// The same error for texts of a table, of which `rows` has one for each row from `place` on.
    pub fn at_row(self, place: &Place, rows: &[(usize, u64)]) -> Self {
        match self {
            Self::Text { number, reason } => {
                let row = rows.iter().find(|(text, _)| text + 1 == number).map_or(0, |(_, at)| *at);
                TablesError::Row { file: place.file.clone(), row: place.row + row, reason }.into()
            }
            other => other,
        }
    }
}
