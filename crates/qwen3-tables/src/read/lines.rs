//! Lines of a file with their numbers, and files whose lines are texts.

use super::chunks::CHUNK_BYTES;
use super::{ROWS, Read};
use crate::causes::WrongLine;
use crate::error::TableError;
use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest line: a longer one would fill the memory. The longest text that a model takes is about
/// 200 KB.
pub(super) const MAX_LINE_BYTES: usize = 64 << 20;
const BUFFER_BYTES: usize = 1 << 17;
/// The column of lines.
const TEXT: &str = "text";
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The lines of a file, without its byte order mark.
pub(super) struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    line: Vec<u8>,
    /// Of the last one, counted from 1.
    number: u64,
}

impl Lines {
    pub fn open(path: &Path) -> Result<Self, TableError> {
        Ok(Self { path: path.to_owned(), file: open(path)?, line: vec![], number: 0 })
    }

    /// The next line without its end.
    pub fn next(&mut self) -> Result<Option<&str>, TableError> {
        self.line.clear();
        let mut bounded = (&mut self.file).take(MAX_LINE_BYTES as u64 + 1);
        let read = bounded.read_until(b'\n', &mut self.line).map_err(TableError::read(&self.path));
        if read? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.len() > MAX_LINE_BYTES {
            return Err(self.wrong(WrongLine::Long { max_bytes: MAX_LINE_BYTES }));
        }
        if self.line.ends_with(b"\n") {
            self.line.pop();
            if self.line.ends_with(b"\r") {
                self.line.pop();
            }
        }
        let text = std::str::from_utf8(&self.line);
        text.map(Some).map_err(|_| self.wrong(WrongLine::Utf8))
    }

    /// The error of the last line.
    pub fn wrong(&self, reason: WrongLine) -> TableError {
        TableError::Line { path: self.path.clone(), line: self.number, reason }
    }

    /// The number of the last line, counted from 1.
    pub fn number(&self) -> u64 {
        self.number
    }
}

/// A file without its byte order mark.
pub(super) fn open(path: &Path) -> Result<BufReader<File>, TableError> {
    let file = File::open(path).map_err(TableError::read(path))?;
    let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
    let has_mark = file.fill_buf().map(|start| start.starts_with(BYTE_ORDER_MARK));
    if has_mark.map_err(TableError::read(path))? {
        file.consume(BYTE_ORDER_MARK.len());
    }
    Ok(file)
}

pub(super) fn schema(path: &Path) -> Result<SchemaRef, TableError> {
    open(path)?;
    Ok(Arc::new(Schema::new(vec![Field::new(TEXT, DataType::Utf8, true)])))
}

pub(super) fn rows(path: &Path, schema: &SchemaRef) -> Result<Read, TableError> {
    let mut lines = Lines::open(path)?;
    let schema = Arc::clone(schema);
    let mut batch = move || -> Result<Option<RecordBatch>, ArrowError> {
        let (mut texts, mut bytes) = (vec![], 0);
        while texts.len() < ROWS
            && bytes < CHUNK_BYTES
            && let Some(text) = lines.next()?
        {
            bytes += text.len();
            texts.push(text.to_owned());
        }
        if texts.is_empty() {
            return Ok(None);
        }
        let column = Arc::new(StringArray::from(texts));
        RecordBatch::try_new(Arc::clone(&schema), vec![column]).map(Some)
    };
    Ok(Box::new(std::iter::from_fn(move || batch().transpose())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn lines_have_their_numbers_and_no_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        fs::write(&path, b"\xef\xbb\xbfone\r\n\ntwo\n\xff\nfour").unwrap();
        let mut lines = Lines::open(&path).unwrap();
        for expected in ["one", "", "two"] {
            assert_eq!(lines.next().unwrap(), Some(expected));
        }
        let error = lines.next().unwrap_err().to_string();
        assert!(error.starts_with("line 4 of") && error.contains("UTF-8"), "{error}");
        assert_eq!(lines.next().unwrap(), Some("four"));
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(lines.number(), 5);
    }

    #[test]
    fn a_line_that_would_fill_the_memory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        fs::write(&path, "a\n".to_owned() + &"b".repeat(MAX_LINE_BYTES + 1)).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        assert_eq!(lines.next().unwrap(), Some("a"));
        let error = lines.next().unwrap_err().to_string();
        assert!(error.starts_with("line 2 of") && error.contains("64 MiB"), "{error}");
    }
}
