//! Rows of JSON lines, and their columns by name.

use super::lines::Lines;
use crate::error::Error;
use crate::run::Reading;
use rayon::prelude::*;
use serde_json::{Map, Value};
use std::path::Path;

/// A row of a file, with what is needed to say where it is.
pub(crate) struct Row<'a> {
    path: &'a Path,
    /// Counted from 1.
    line: usize,
    columns: Map<String, Value>,
}

impl Row<'_> {
    /// A text that must be there.
    pub fn text(&self, column: &'static str) -> Result<&str, Error> {
        self.optional_text(column)?.ok_or_else(|| self.wrong(column, "text"))
    }

    /// A text that may be missing or null.
    pub fn optional_text(&self, column: &'static str) -> Result<Option<&str>, Error> {
        match self.columns.get(column) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(column, "text")),
        }
    }

    /// No text, one, or a list of them.
    pub fn texts(&self, column: &'static str) -> Result<Vec<&str>, Error> {
        let wrong = || self.wrong(column, "text, or a list of texts,");
        match self.columns.get(column) {
            None | Some(Value::Null) => Ok(vec![]),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(texts)) => {
                texts.iter().map(|text| text.as_str().ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    /// A number from 0 to 1; `true` is 1.
    pub fn share(&self, column: &'static str) -> Result<f32, Error> {
        let number = match self.columns.get(column) {
            Some(Value::Bool(is)) => Some(f64::from(u8::from(*is))),
            Some(Value::Number(number)) => number.as_f64(),
            _ => None,
        };
        let number = number.filter(|number| (0.0..=1.0).contains(number));
        number.map(|number| number as f32).ok_or_else(|| self.wrong(column, "number from 0 to 1"))
    }

    /// An error of one of its texts.
    pub fn refused(&self, reason: qwen3_engine::TextError) -> Error {
        Error::Text { path: self.path.to_owned(), line: self.line, reason }
    }

    fn wrong(&self, column: &'static str, wanted: &'static str) -> Error {
        Error::Column { path: self.path.to_owned(), line: self.line, column, wanted }
    }
}

/// What `make` makes of each row, in their order, on the threads of training.
///
/// # Errors
/// If the file can't be read or has no row, a row is no JSON object, or `make` fails.
pub(crate) fn read_rows<T: Send>(
    path: &Path,
    reading: &Reading,
    make: impl Fn(&Row) -> Result<T, Error> + Sync,
    mut take: impl FnMut(T),
) -> Result<usize, Error> {
    let mut lines = Lines::open(path)?;
    let mut rows = 0;
    loop {
        reading.check_cancelled()?;
        let chunk = lines.chunk()?;
        if chunk.is_empty() {
            break;
        }
        rows += chunk.len();
        let of_line = |(line, text): &(usize, String)| {
            let columns = serde_json::from_str(text).map_err(|source| Error::Json {
                path: path.to_owned(),
                line: *line,
                source,
            })?;
            make(&Row { path, line: *line, columns })
        };
        let made: Result<Vec<T>, Error> =
            reading.device.install(|| chunk.par_iter().map(of_line).collect());
        made?.into_iter().for_each(&mut take);
        reading.tell(path, rows);
    }
    match rows {
        0 => Err(Error::Empty { path: path.to_owned() }),
        rows => Ok(rows),
    }
}
