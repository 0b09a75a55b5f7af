//! Files that hold text: CSV, JSON objects, and lines that are texts.

use super::{Read, broken};
use crate::error::TableError;
use arrow_array::{RecordBatch, StringArray};
use arrow_csv::reader::{Format, ReaderBuilder as CsvReader};
use arrow_json::ReaderBuilder as JsonReader;
use arrow_json::reader::infer_json_schema;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

/// Longest line. The longest text that a model takes is about 200 KB.
const MAX_LINE_BYTES: usize = 64 << 20;
/// Rows that are read at a time.
const ROWS: usize = 512;
/// The column of lines.
const TEXT: &str = "text";
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// All columns are strings: a CSV file has no types, and `007` is not 7.
pub(super) fn csv_schema(
    path: &Path,
    delimiter: u8,
) -> Result<Result<SchemaRef, ArrowError>, TableError> {
    let format = Format::default().with_header(true).with_delimiter(delimiter);
    let names = format.infer_schema(BoundedLines::open(path)?, Some(0));
    let field = |field: &Arc<Field>| Field::new(field.name(), DataType::Utf8, true);
    Ok(names.map(|(names, _)| {
        Arc::new(Schema::new(names.fields().iter().map(field).collect::<Vec<_>>()))
    }))
}

/// An empty value is null, as CSV has no other way to write that.
pub(super) fn csv_rows(path: &Path, delimiter: u8, schema: &SchemaRef) -> Result<Read, TableError> {
    let reader = CsvReader::new(Arc::clone(schema))
        .with_header(true)
        .with_delimiter(delimiter)
        .with_batch_size(ROWS)
        .build_buffered(BoundedLines::open(path)?);
    Ok(Box::new(reader.map_err(|source| broken(path, "table of CSV", source))?))
}

pub(super) fn json_schema(path: &Path) -> Result<Result<SchemaRef, ArrowError>, TableError> {
    Ok(infer_json_schema(BoundedLines::open(path)?, None).map(|(schema, _)| Arc::new(schema)))
}

/// Columns that aren't in the schema are passed over.
pub(super) fn json_rows(path: &Path, schema: SchemaRef) -> Result<Read, TableError> {
    let reader = JsonReader::new(schema)
        .with_batch_size(ROWS)
        .with_coerce_primitive(true)
        .build(BoundedLines::open(path)?);
    Ok(Box::new(reader.map_err(|source| broken(path, "file of JSON", source))?))
}

pub(super) fn text_schema(path: &Path) -> Result<SchemaRef, TableError> {
    BoundedLines::open(path)?;
    Ok(Arc::new(Schema::new(vec![Field::new(TEXT, DataType::Utf8, true)])))
}

pub(super) fn text_rows(path: &Path, schema: &SchemaRef) -> Result<Read, TableError> {
    let mut lines = BoundedLines::open(path)?.lines();
    let schema = Arc::clone(schema);
    let batch = move || -> Option<Result<RecordBatch, ArrowError>> {
        let texts: Result<Vec<String>, io::Error> = lines.by_ref().take(ROWS).collect();
        let texts = match texts {
            Ok(texts) if texts.is_empty() => return None,
            Ok(texts) => texts,
            Err(error) => return Some(Err(error.into())),
        };
        let column = Arc::new(StringArray::from(texts));
        Some(RecordBatch::try_new(Arc::clone(&schema), vec![column]))
    };
    Ok(Box::new(std::iter::from_fn(batch)))
}

/// A file of lines, without its byte order mark, that refuses a line beyond the bound: else the
/// line would fill the memory.
struct BoundedLines {
    file: BufReader<File>,
    /// Bytes of the line so far.
    line: usize,
}

impl BoundedLines {
    fn open(path: &Path) -> Result<Self, TableError> {
        let mut file =
            BufReader::with_capacity(1 << 17, File::open(path).map_err(TableError::read(path))?);
        let has_mark = file.fill_buf().map(|start| start.starts_with(BYTE_ORDER_MARK));
        if has_mark.map_err(TableError::read(path))? {
            file.consume(BYTE_ORDER_MARK.len());
        }
        Ok(Self { file, line: 0 })
    }
}

impl BufRead for BoundedLines {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.line > MAX_LINE_BYTES {
            let message = format!("a line is longer than {} MiB", MAX_LINE_BYTES >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        self.file.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        let consumed = &self.file.buffer()[..bytes];
        match consumed.iter().rposition(|&byte| byte == b'\n') {
            Some(end) => self.line = bytes - end - 1,
            None => self.line += bytes,
        }
        self.file.consume(bytes);
    }
}

impl io::Read for BoundedLines {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}
