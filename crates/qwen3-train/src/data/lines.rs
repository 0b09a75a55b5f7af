//! Lines of a text file with their numbers, a chunk at a time.

use crate::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// No row of data is longer.
const MAX_LINE_BYTES: usize = 64 << 20;
/// Lines that are parsed and tokenized together.
const CHUNK_LINES: usize = 65_536;
const CHUNK_BYTES: usize = 64 << 20;

/// The lines of a file.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: usize,
    /// A line of nothing, which is an error unless the file ends so.
    blank: Option<usize>,
}

impl Lines {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self { path: path.to_owned(), reader: BufReader::new(file), line: 0, blank: None })
    }

    /// The next lines with their numbers, counted from 1; none at the end.
    pub fn chunk(&mut self) -> Result<Vec<(usize, String)>, Error> {
        let (mut lines, mut bytes) = (vec![], 0);
        while lines.len() < CHUNK_LINES && bytes < CHUNK_BYTES {
            let Some(text) = self.next()? else { break };
            if text.trim().is_empty() {
                self.blank.get_or_insert(self.line);
            } else if let Some(line) = self.blank {
                return Err(Error::BlankLine { path: self.path.clone(), line });
            } else {
                bytes += text.len();
                lines.push((self.line, text));
            }
        }
        Ok(lines)
    }

    fn next(&mut self) -> Result<Option<String>, Error> {
        let path = || self.path.clone();
        let mut bytes = vec![];
        // One byte more than allowed, to tell a long line from one that just fits.
        let read = self.reader.by_ref().take(MAX_LINE_BYTES as u64 + 1);
        let read = { read }.read_until(b'\n', &mut bytes);
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
