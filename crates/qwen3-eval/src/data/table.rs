//! JSONL with named columns.

use super::labels::Label;
use super::lines::{Lines, Row};
use crate::Error;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The rows of a file of pairs, labels or groups.
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    rows: Vec<Row>,
}

impl Table {
    /// Reads a file with a JSON object a line.
    ///
    /// # Errors
    /// If it can't be read, a line is something else, or there is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut lines = Lines::open(path)?;
        let mut rows = vec![];
        while let Some(row) = lines.next_row()? {
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(Error::Empty { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), rows })
    }

    /// How many rows there are; at least one.
    #[allow(clippy::len_without_is_empty, reason = "a table is never empty")]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the first row has a column.
    pub fn has(&self, column: &str) -> bool {
        self.rows[0].1.contains_key(column)
    }

    /// A column of texts.
    ///
    /// # Errors
    /// [`Error::Column`] if a row lacks it, or has something else there. So do all below.
    pub fn texts(&self, column: &str) -> Result<Vec<String>, Error> {
        self.column(column, "text", text)
    }

    /// A column of finite numbers.
    ///
    /// # Errors
    /// As [`texts`](Self::texts).
    pub fn numbers(&self, column: &str) -> Result<Vec<f64>, Error> {
        self.column(column, "number", number)
    }

    /// A column of labels.
    ///
    /// # Errors
    /// As [`texts`](Self::texts).
    pub fn labels(&self, column: &str) -> Result<Vec<Label>, Error> {
        self.column(column, "label, text or a whole number", label)
    }

    /// A column of lists of texts.
    ///
    /// # Errors
    /// As [`texts`](Self::texts).
    pub fn text_lists(&self, column: &str) -> Result<Vec<Vec<String>>, Error> {
        self.column(column, "list of texts", |value| list(value, text))
    }

    /// A column of lists of finite numbers.
    ///
    /// # Errors
    /// As [`texts`](Self::texts).
    pub fn number_lists(&self, column: &str) -> Result<Vec<Vec<f64>>, Error> {
        self.column(column, "list of numbers", |value| list(value, number))
    }

    /// A column of lists of labels; a label on its own is a list of one.
    ///
    /// # Errors
    /// As [`texts`](Self::texts).
    pub fn label_lists(&self, column: &str) -> Result<Vec<Vec<Label>>, Error> {
        let of = |value: &Value| list(value, label).or_else(|| Some(vec![label(value)?]));
        self.column(column, "label or list of labels", of)
    }

    fn column<T>(
        &self,
        column: &str,
        wanted: &'static str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let of = |(line, row): &Row| {
            let missing = || Error::Column {
                path: self.path.clone(),
                line: *line,
                column: column.to_owned(),
                wanted,
            };
            row.get(column).and_then(&read).ok_or_else(missing)
        };
        self.rows.iter().map(of).collect()
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

fn label(value: &Value) -> Option<Label> {
    match value {
        Value::String(name) => Some(Label::Name(name.clone())),
        Value::Bool(is) => Some(Label::Number(i64::from(*is))),
        value => value.as_i64().map(Label::Number),
    }
}

fn list<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(read).collect()
}
