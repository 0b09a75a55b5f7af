//! Files of CSV.

use super::chunks::CHUNK_BYTES;
use super::lines::{Lines, MAX_LINE_BYTES, open};
use super::{ROWS, Read};
use crate::causes::WrongLine;
use crate::error::TableError;
use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All columns are strings: a CSV file has no types, and `007` is not 7.
pub(super) fn schema(path: &Path, delimiter: u8) -> Result<SchemaRef, TableError> {
    let mut reader = reader(path, delimiter)?;
    let names = reader.headers().cloned().map_err(|error| told(path, error))?;
    let fields = names.iter().map(|name| Field::new(name, DataType::Utf8, true));
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// The columns of `schema`. An empty value is null, as CSV has no other way to write that.
pub(super) fn rows(path: &Path, delimiter: u8, schema: SchemaRef) -> Result<Read, TableError> {
    let mut reader = reader(path, delimiter)?;
    let names = reader.headers().map_err(|error| told(path, error))?;
    let place = |field: &Arc<Field>| names.iter().position(|name| name == field.name());
    let places = schema.fields().iter().filter_map(place).collect();
    let (path, record) = (path.to_owned(), StringRecord::new());
    Ok(Box::new(Rows { path, reader, record, schema, places }))
}

struct Rows {
    path: PathBuf,
    reader: Reader<Bounded>,
    record: StringRecord,
    schema: SchemaRef,
    /// Of the columns of the schema in a record.
    places: Vec<usize>,
}

impl Rows {
    fn batch(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let mut columns: Vec<StringBuilder> = self.places.iter().map(|_| <_>::default()).collect();
        let (mut rows, mut bytes) = (0, 0);
        while rows < ROWS && bytes < CHUNK_BYTES {
            self.reader.get_mut().bytes = 0;
            let read = self.reader.read_record(&mut self.record);
            if !read.map_err(|error| told(&self.path, error))? {
                break;
            }
            for (column, &place) in columns.iter_mut().zip(&self.places) {
                column.append_option(self.record.get(place).filter(|value| !value.is_empty()));
            }
            (rows, bytes) = (rows + 1, bytes + self.record.as_slice().len());
        }
        if rows == 0 {
            return Ok(None);
        }
        let columns = columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::clone(&self.schema);
        RecordBatch::try_new_with_options(schema, columns.collect(), &options).map(Some)
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

fn reader(path: &Path, delimiter: u8) -> Result<Reader<Bounded>, TableError> {
    let file = Bounded { file: open(path)?, bytes: 0 };
    Ok(ReaderBuilder::new().delimiter(delimiter).from_reader(file))
}

/// What is wrong, with the line that the row begins in.
fn told(path: &Path, error: csv::Error) -> TableError {
    let line = filled_line(path, error.position().map_or(1, csv::Position::line));
    let reason = match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            WrongLine::Values { found: *len, expected: *expected_len }
        }
        ErrorKind::Utf8 { .. } => WrongLine::Utf8,
        _ => return TableError::read(path)(error.into()),
    };
    TableError::Line { path: path.to_owned(), line, reason }
}

/// The first line from this one on that isn't empty: the reader counts from the end of the row before.
fn filled_line(path: &Path, from: u64) -> u64 {
    let Ok(mut lines) = Lines::open(path) else { return from };
    loop {
        let is_empty = match lines.next() {
            Ok(None) => return from,
            Ok(Some(line)) => line.is_empty(),
            Err(_) => false,
        };
        if lines.number() >= from && !is_empty {
            return lines.number();
        }
    }
}

/// A file that refuses a row beyond the bound, such as one whose quotes have no end: else the row
/// would fill the memory.
struct Bounded {
    file: BufReader<File>,
    /// That were read for this row, and maybe some rows before it.
    bytes: usize,
}

impl io::Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.bytes > MAX_LINE_BYTES {
            let bound = MAX_LINE_BYTES >> 20;
            let message =
                format!("a row is longer than {bound} MiB; look for quotes without an end");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let read = self.file.read(into)?;
        self.bytes += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The error of reading a file of these bytes.
    fn refused(text: &[u8]) -> TableError {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.csv");
        fs::write(&path, text).unwrap();
        let mut rows = rows(&path, b',', schema(&path, b',').unwrap()).unwrap();
        match rows.find_map(Result::err).unwrap() {
            ArrowError::ExternalError(error) => *error.downcast().unwrap(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_row_that_is_wrong_is_told_with_its_line() {
        let told = |text: &[u8]| match refused(text) {
            TableError::Line { line, reason, .. } => (line, reason.to_string()),
            other => panic!("{other}"),
        };
        let (line, reason) = told(b"id,text\n1,\"a\nb\"\n\n2,b,c\n");
        assert_eq!((line, &*reason), (5, "has 3 values, and the first line names 2 columns"));
        let (line, reason) = told(b"id,text\n1,a\n2,\xff\n");
        assert!(line == 3 && reason.contains("UTF-8"), "{line} {reason}");
    }

    #[test]
    fn quotes_without_an_end_do_not_fill_the_memory() {
        let text = b"id,text\n1,\"a\n".iter().chain(b"2,b\n".iter().cycle().take(65 << 20));
        match refused(&text.copied().collect::<Vec<_>>()) {
            TableError::Read { source, .. } => assert!(source.to_string().contains("quotes")),
            other => panic!("{other}"),
        }
    }
}
