//! Rows as JSON objects, for who reads tables and lines of JSON alike.

use crate::error::TableError;
use crate::input::{InputFile, TableFormat};
use crate::read::{Batches, Table};
use arrow_array::RecordBatch;
use arrow_json::LineDelimitedWriter;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use std::vec;

/// The rows of a file, one at a time. A column that has no value in a row isn't in its object.
pub struct Objects {
    batches: Batches,
    rows: vec::IntoIter<Map<String, Value>>,
}

impl Objects {
    /// Opens a file of the format that its ending tells.
    ///
    /// # Errors
    /// If it can't be read, or isn't of a format that is read here.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let path = path.to_owned();
        let format = TableFormat::of(&path);
        let format = format.ok_or_else(|| TableError::UnknownFormat { path: path.clone() })?;
        let table = Table::open(&InputFile { path, format })?;
        let schema = Arc::clone(table.schema());
        Ok(Self { batches: table.batches(None, &schema)?, rows: vec![].into_iter() })
    }
}

impl Iterator for Objects {
    type Item = Result<Map<String, Value>, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            match self.batches.next()?.and_then(|batch| objects(&batch, self.batches.path())) {
                Ok(rows) => self.rows = rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn objects(batch: &RecordBatch, path: &Path) -> Result<Vec<Map<String, Value>>, TableError> {
    let broken = |source: crate::error::Reason| TableError::Broken {
        path: path.to_owned(),
        what: "table of texts, numbers and lists",
        source,
    };
    let mut lines = LineDelimitedWriter::new(vec![]);
    lines.write(batch).map_err(|error| broken(error.into()))?;
    let rows = serde_json::Deserializer::from_slice(lines.get_ref()).into_iter();
    rows.collect::<Result<_, _>>().map_err(|error| broken(error.into()))
}
