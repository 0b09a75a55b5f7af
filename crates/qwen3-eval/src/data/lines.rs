//! Lines of a text file, perhaps compressed, with their numbers, one at a time.

use super::files::{packed, readable};
use crate::Error;
use flate2::bufread::MultiGzDecoder;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// No row of data is longer.
pub(super) const MAX_LINE_BYTES: usize = 64 << 20;

/// How files compressed by gzip begin, whatever they are called (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A row of JSON with the number of its line.
pub(super) type Row = (usize, Map<String, Value>);

/// The lines of a file that aren't empty, with their numbers from 1.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    text: Text,
    line: usize,
}

#[derive(Debug)]
enum Text {
    Plain(BufReader<File>),
    Compressed(BufReader<Box<MultiGzDecoder<BufReader<File>>>>),
}

impl Text {
    fn reader(&mut self) -> &mut dyn BufRead {
        match self {
            Self::Plain(reader) => reader,
            Self::Compressed(reader) => reader,
        }
    }
}

impl Lines {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        if let Some(other) = packed(path).filter(|_| !path.exists()) {
            readable(&other)?;
        }
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let mut reader = BufReader::new(file);
        let text = match reader.fill_buf().map_err(failed)?.starts_with(&GZIP) {
            true => Text::Compressed(BufReader::new(Box::new(MultiGzDecoder::new(reader)))),
            false => Text::Plain(reader),
        };
        Ok(Self { path: path.to_owned(), text, line: 0 })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next line that has something, or none at the end.
    pub fn next(&mut self) -> Result<Option<(usize, String)>, Error> {
        loop {
            let Some(text) = self.line()? else { return Ok(None) };
            if !text.trim().is_empty() {
                return Ok(Some((self.line, text)));
            }
        }
    }

    /// The next row of JSON.
    pub fn next_row(&mut self) -> Result<Option<Row>, Error> {
        let Some((line, text)) = self.next()? else { return Ok(None) };
        let failed = |source| Error::Json { path: self.path.clone(), line, source };
        serde_json::from_str(&text).map(|row| Some((line, row))).map_err(failed)
    }

    /// The next line, also an empty one.
    pub fn line(&mut self) -> Result<Option<String>, Error> {
        let path = || self.path.clone();
        let mut bytes = vec![];
        // One byte more than allowed, to tell a long line from one that just fits.
        let mut bounded = self.text.reader().take(MAX_LINE_BYTES as u64 + 1);
        let read = bounded.read_until(b'\n', &mut bytes);
        read.map_err(|source| Error::Read { path: path(), source })?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        let line = self.line;
        if bytes.len() > MAX_LINE_BYTES {
            return Err(Error::LongLine { path: path(), line, max_bytes: MAX_LINE_BYTES });
        }
        let text = String::from_utf8(bytes).map_err(|_| Error::Utf8 { path: path(), line })?;
        // A byte order mark belongs to the file.
        Ok(Some(match text.strip_prefix('\u{feff}') {
            Some(text) if line == 1 => text.to_owned(),
            _ => text,
        }))
    }
}
