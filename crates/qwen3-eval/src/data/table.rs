//! JSONL, Parquet, CSV and TSV with named columns.

use super::csv;
use super::files::ending;
use super::labels::Label;
use super::lines::Row;
use super::rows::Rows;
use crate::Error;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Characters of a cell that an error shows.
const MAX_SAID: usize = 40;

/// What columns are called in a file, by the names that are asked for.
pub type Columns = BTreeMap<String, String>;

/// The rows of a file of pairs, labels or groups.
#[derive(Clone, Debug)]
pub struct Table {
    pub(super) path: PathBuf,
    pub(super) rows: Vec<Row>,
    columns: Columns,
    /// Whether cells are texts, also those that say a number or a list.
    is_plain: bool,
}

impl Table {
    /// Reads a file with a JSON object a line, one of Parquet, or one that ends in `.csv` or `.tsv` with a line of
    /// names. In the latter a list is written as JSON.
    ///
    /// # Errors
    /// If it can't be read, a line is something else, or there is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let separator = match ending(path) {
            "csv" => Some(','),
            "tsv" => Some('\t'),
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
    ///
    /// # Errors
    /// [`Error::NoColumn`] if the file has no such column.
    pub fn with_columns(self, columns: &Columns) -> Result<Self, Error> {
        match columns.values().find(|column| !self.is_in_file(column)) {
            Some(column) => Err(Error::NoColumn {
                path: self.path.clone(),
                column: column.clone(),
                columns: self.column_names(),
            }),
            None => Ok(Self { columns: columns.clone(), ..self }),
        }
    }

    /// What the columns of the first row are called in the file.
    pub fn column_names(&self) -> String {
        self.rows[0].1.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// Where a row stands in the file, from 1.
    ///
    /// # Panics
    /// If there are fewer rows, as with a slice.
    pub fn line(&self, row: usize) -> usize {
        self.rows[row].0
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

    /// Whether a row has a column.
    pub fn has(&self, column: &str) -> bool {
        self.is_in_file(self.in_file(column))
    }

    fn is_in_file(&self, column: &str) -> bool {
        self.rows.iter().any(|(_, row)| row.contains_key(column))
    }

    /// Whether the first row that has a column has a list there.
    pub fn has_list(&self, column: &str) -> bool {
        let value = self.rows.iter().find_map(|(_, row)| row.get(self.in_file(column)));
        value.is_some_and(|value| self.cell(value).is_array())
    }

    pub(super) fn in_file<'a>(&'a self, column: &'a str) -> &'a str {
        self.columns.get(column).map_or(column, String::as_str)
    }

    /// What a cell of plain text says: a list, a number, or itself.
    pub(super) fn cell(&self, value: &Value) -> Value {
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

    /// A column of 1 and 0, which may be written as booleans or as texts of one digit.
    ///
    /// # Errors
    /// As [`texts`](Self::texts).
    pub fn zeros_and_ones(&self, column: &str) -> Result<Vec<i64>, Error> {
        self.column(column, "label 0 or 1", |cell| zero_or_one(&self.cell(cell), self.is_plain))
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
                found: row.get(column).map(said),
            };
            row.get(column).and_then(&read).ok_or_else(missing)
        };
        self.rows.iter().map(of).collect()
    }
}

fn of_json(path: &Path) -> Result<Vec<Row>, Error> {
    let mut reader = Rows::open(path)?;
    let mut rows = vec![];
    while let Some(row) = reader.next_row()? {
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

/// In a table of plain text a boolean is a word.
fn zero_or_one(value: &Value, is_plain: bool) -> Option<i64> {
    let is_word = |text: &str, word: &str| is_plain && text.eq_ignore_ascii_case(word);
    match value {
        Value::Bool(is) => Some(i64::from(*is)),
        Value::String(text) if text == "1" || is_word(text, "true") => Some(1),
        Value::String(text) if text == "0" || is_word(text, "false") => Some(0),
        value => match value.as_f64() {
            Some(1.0) => Some(1),
            Some(0.0) => Some(0),
            _ => None,
        },
    }
}

/// What stands in a cell, in short.
pub(super) fn said(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(MAX_SAID) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
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
