//! Rows of a file, of lines of JSON or of Parquet, also where the hub keeps it in pieces.

use super::files::{ending, pieces};
use super::lines::{Lines, Row};
use crate::Error;
use qwen3_tables::{Objects, TableError};
use std::path::{Path, PathBuf};
use std::vec;

/// Rows with their numbers from 1, one at a time.
pub(super) struct Rows {
    path: PathBuf,
    reader: Reader,
}

enum Reader {
    Lines(Lines),
    Columns { pieces: vec::IntoIter<PathBuf>, open: Option<Objects>, row: usize },
}

impl Rows {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let is_parquet = ending(path) == "parquet";
        let reader = match is_parquet {
            true => Reader::Columns { pieces: pieces(path).into_iter(), open: None, row: 0 },
            false => Reader::Lines(Lines::open(path)?),
        };
        Ok(Self { path: path.to_owned(), reader })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next row; of lines, those that are empty aren't rows.
    pub fn next_row(&mut self) -> Result<Option<Row>, Error> {
        match &mut self.reader {
            Reader::Lines(lines) => lines.next_row(),
            Reader::Columns { pieces, open, row } => loop {
                if let Some(object) = open.as_mut().and_then(Iterator::next) {
                    *row += 1;
                    return Ok(Some((*row, object.map_err(broken)?)));
                }
                let Some(piece) = pieces.next() else { return Ok(None) };
                *open = Some(Objects::open(&piece).map_err(broken)?);
            },
        }
    }
}

fn broken(error: TableError) -> Error {
    Error::Tables(Box::new(error))
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("path", &self.path).finish_non_exhaustive()
    }
}
