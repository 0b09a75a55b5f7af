//! JSONL, CSV and TSV with named columns.

use super::csv;
use super::labels::Label;
use super::lines::{Lines, Row};
use crate::Error;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What columns are called in a file, by the names that are asked for.
pub type Columns = BTreeMap<String, String>;

/// The rows of a file of pairs, labels or groups.
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    rows: Vec<Row>,
    columns: Columns,
    /// Whether cells are texts, also those that say a number or a list.
    is_plain: bool,
}

impl Table {
    /// Reads a file with a JSON object a line, or one that ends in `.csv` or `.tsv` with a line of
    /// names. In the latter a list is written as JSON.
    ///
    /// # Errors
    /// If it can't be read, a line is something else, or there is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let separator = match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Some(','),
            Some("tsv") => Some('\t'),
            _ => None,
        };
        let rows = match separator {
            Some(separator) => csv::read(path, separator)?,
            None => of_json(path)?,
        };
        if rows.is_empty() {
            return Err(Error::Empty { path: path.to_owned() });
        }
        let (path, columns) = (path.to_owned(), Columns::new());
        Ok(Self { path, rows, columns, is_plain: separator.is_some() })
    }

    /// The same table whose columns have other names in the file.
    #[must_use]
    pub fn with_columns(self, columns: &Columns) -> Self {
        Self { columns: columns.clone(), ..self }
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows there are; at least one.
    #[allow(clippy::len_without_is_empty, reason = "a table is never empty")]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the first row has a column.
    pub fn has(&self, column: &str) -> bool {
        self.rows[0].1.contains_key(self.in_file(column))
    }

    /// Whether the first row has a list in a column.
    pub fn has_list(&self, column: &str) -> bool {
        let value = self.rows[0].1.get(self.in_file(column));
        value.is_some_and(|value| self.cell(value).is_array())
    }

    fn in_file<'a>(&'a self, column: &'a str) -> &'a str {
        self.columns.get(column).map_or(column, String::as_str)
    }

    /// What a cell of plain text says: a list, a number, or itself.
    fn cell(&self, value: &Value) -> Value {
        let text = value.as_str().filter(|_| self.is_plain).map(str::trim);
        let said = text.and_then(|text| match text.starts_with('[') {
            true => serde_json::from_str(text).ok(),
            false => (text.parse::<i64>().map(Value::from).ok())
                .or_else(|| text.parse::<f64>().map(Value::from).ok()),
        });
        said.unwrap_or_else(|| value.clone())
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
        self.column(column, "number", |cell| number(&self.cell(cell)))
    }

    /// A column of labels.
    ///
    /// # Errors
    /// As [`texts`](Self::texts).
    pub fn labels(&self, column: &str) -> Result<Vec<Label>, Error> {
        self.column(column, "label, text or a whole number", |cell| label(&self.cell(cell)))
    }

    /// A column of lists of texts.
    ///
    /// # Errors
    /// As [`texts`](Self::texts).
    pub fn text_lists(&self, column: &str) -> Result<Vec<Vec<String>>, Error> {
        self.column(column, "list of texts", |cell| list(&self.cell(cell), text))
    }

    /// A column of lists of finite numbers.
    ///
    /// # Errors
    /// As [`texts`](Self::texts).
    pub fn number_lists(&self, column: &str) -> Result<Vec<Vec<f64>>, Error> {
        self.column(column, "list of numbers", |cell| list(&self.cell(cell), number))
    }

    /// A column of lists of labels; a label on its own is a list of one.
    ///
    /// # Errors
    /// As [`texts`](Self::texts).
    pub fn label_lists(&self, column: &str) -> Result<Vec<Vec<Label>>, Error> {
        let of = |cell: &Value| {
            let cell = self.cell(cell);
            list(&cell, label).or_else(|| Some(vec![label(&cell)?]))
        };
        self.column(column, "label or list of labels", of)
    }

    fn column<T>(
        &self,
        column: &str,
        wanted: &'static str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let column = self.in_file(column);
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

fn of_json(path: &Path) -> Result<Vec<Row>, Error> {
    let mut lines = Lines::open(path)?;
    let mut rows = vec![];
    while let Some(row) = lines.next_row()? {
        rows.push(row);
    }
    Ok(rows)
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
