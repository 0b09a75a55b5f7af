//! Tables with commas or tabs between the fields (RFC 4180).

use super::lines::{Lines, MAX_LINE_BYTES, Row};
use crate::Error;
use serde_json::{Map, Value};
use std::path::Path;

/// Reads a table below a line of names. Every cell is a text.
///
/// # Errors
/// If the file can't be read, a name stands twice, a line has another number of fields, or a
/// quotation mark isn't closed.
pub(super) fn read(path: &Path, separator: char) -> Result<Vec<Row>, Error> {
    let mut lines = Lines::open(path)?;
    let Some((line, names)) = record(&mut lines, separator)? else { return Ok(vec![]) };
    if let Some(at) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
        let place = format!("line {line} of `{}`", path.display());
        return Err(Error::DuplicateId { place, id: names[at].clone() });
    }
    let mut rows = vec![];
    while let Some((line, cells)) = record(&mut lines, separator)? {
        if cells.len() != names.len() {
            let expected = "as many fields as the line of names has";
            return Err(Error::Fields { path: path.to_owned(), line, expected });
        }
        let row: Map<_, _> =
            names.iter().cloned().zip(cells.into_iter().map(Value::String)).collect();
        rows.push((line, row));
    }
    Ok(rows)
}

/// The fields of the next record, which goes on over lines while a quotation mark is open.
fn record(lines: &mut Lines, separator: char) -> Result<Option<(usize, Vec<String>)>, Error> {
    let Some((line, text)) = lines.next()? else { return Ok(None) };
    let wrong = |lines: &Lines| Error::Fields {
        path: lines.path().to_owned(),
        line,
        expected: "a field in quotation marks that is closed",
    };
    let (mut fields, mut bytes) = (Fields::default(), text.len());
    fields.read(&text, separator);
    while fields.state == State::Quoted {
        let Some(text) = lines.line()? else { return Err(wrong(lines)) };
        bytes += text.len();
        if bytes > MAX_LINE_BYTES {
            let path = lines.path().to_owned();
            return Err(Error::LongLine { path, line, max_bytes: MAX_LINE_BYTES });
        }
        fields.read(&text, separator);
    }
    fields.done.push(fields.field);
    Ok(Some((line, fields.done)))
}

#[derive(Default)]
struct Fields {
    done: Vec<String>,
    field: String,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    /// Nothing of the field has come.
    #[default]
    Start,
    Plain,
    Quoted,
    /// After a quotation mark that ends the field, or is the first of two.
    Mark,
}

impl Fields {
    fn read(&mut self, line: &str, separator: char) {
        let open = line.trim_end_matches(['\n', '\r']);
        for (at, c) in line.char_indices() {
            self.state = match (self.state, c) {
                (State::Start, '"') => State::Quoted,
                (State::Quoted, '"') => State::Mark,
                (State::Mark, '"') => {
                    self.field.push('"');
                    State::Quoted
                }
                (State::Quoted, c) => {
                    self.field.push(c);
                    State::Quoted
                }
                // The end of the line, of which white space in quotation marks is no part.
                (state, _) if at >= open.len() => state,
                (_, c) if c == separator => {
                    self.done.push(std::mem::take(&mut self.field));
                    State::Start
                }
                (_, c) => {
                    self.field.push(c);
                    State::Plain
                }
            };
        }
    }
}
