//! What has been computed for a part that isn't whole yet.
//!
//! A file that is only appended to, with a checksum behind each record. Whatever ended the process
//! that wrote it: the records before the end are found again, and half a record is none.

use crate::error::TableError;
use crate::own_file::open_alone;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 16] = b"qwen3 journal 1\n";
/// Magic, and a hash of what the records depend on.
pub(crate) const HEADER_BYTES: u64 = 24;
/// Rows and bytes before the results, and tokens.
const BEFORE_BYTES: usize = 24;

/// Results for the next rows of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// So many rows of the input.
    pub rows: u64,
    /// So many tokens were computed.
    pub tokens: u64,
    /// Whatever the run makes of rows.
    pub results: Vec<u8>,
}

/// Takes records, at its end.
pub struct Journal {
    path: PathBuf,
    file: File,
    end: u64,
}

/// Gives the records that were there, in order.
pub struct Replay {
    path: PathBuf,
    file: BufReader<File>,
    left: u64,
}

impl Journal {
    /// Opens a journal for records of `description`, or begins it; what is there of another
    /// description is thrown away. Nobody else can open it meanwhile.
    ///
    /// # Errors
    /// If it can't be read or written, or another process has it open.
    pub fn open(path: &Path, description: &str) -> Result<(Self, Replay), TableError> {
        let failed = |source: io::Error| TableError::write(path)(source);
        let file = open_alone(path).map_err(failed)?;
        let mut file = file.ok_or_else(|| TableError::Busy { path: path.to_owned() })?;
        let header = [&MAGIC[..], &xxh3_64(description.as_bytes()).to_le_bytes()].concat();
        let mut found = Vec::with_capacity(header.len());
        (&file).take(HEADER_BYTES).read_to_end(&mut found).map_err(failed)?;
        if found != header {
            let begun =
                file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&header));
            begun.map_err(failed)?;
        }
        let mut end = HEADER_BYTES;
        for record in Replay::of(path, u64::MAX)? {
            end += record?.bytes();
        }
        // Half a record, or one that was changed.
        file.set_len(end).and_then(|()| file.seek(SeekFrom::End(0))).map_err(failed)?;
        let journal = Self { path: path.to_owned(), file, end };
        Ok((journal, Replay::of(path, end - HEADER_BYTES)?))
    }

    /// Keeps a record. It is with the system when this returns, so that a process that is killed
    /// doesn't lose it.
    ///
    /// # Errors
    /// If it can't be written, as on a full disk; the records before it stay.
    pub fn append(&mut self, record: &Record) -> Result<(), TableError> {
        let mut bytes = Vec::with_capacity(record.bytes() as usize);
        bytes.extend(record.rows.to_le_bytes());
        bytes.extend((record.results.len() as u64).to_le_bytes());
        bytes.extend(record.tokens.to_le_bytes());
        bytes.extend(&record.results);
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        if let Err(source) = self.file.write_all(&bytes) {
            let _ = self.file.set_len(self.end).and_then(|()| self.file.seek(SeekFrom::End(0)));
            return Err(TableError::write(&self.path)(source));
        }
        self.end += bytes.len() as u64;
        Ok(())
    }
}

impl Replay {
    fn of(path: &Path, left: u64) -> Result<Self, TableError> {
        let mut file = File::open(path).map_err(TableError::read(path))?;
        file.seek(SeekFrom::Start(HEADER_BYTES)).map_err(TableError::read(path))?;
        Ok(Self { path: path.to_owned(), file: BufReader::new(file), left })
    }

    /// `None`: there is no whole record.
    fn record(&mut self) -> io::Result<Option<Record>> {
        let mut bytes = vec![];
        if self.file.by_ref().take(BEFORE_BYTES as u64).read_to_end(&mut bytes)? < BEFORE_BYTES {
            return Ok(None);
        }
        let number = |bytes: &[u8], at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        let (rows, length, tokens) = (number(&bytes, 0), number(&bytes, 8), number(&bytes, 16));
        // As many bytes as there are, whatever the record says.
        self.file.by_ref().take(length.saturating_add(8)).read_to_end(&mut bytes)?;
        let whole = (bytes.len() as u64).checked_sub(8 + BEFORE_BYTES as u64) == Some(length);
        if !whole {
            return Ok(None);
        }
        let results_end = bytes.len() - 8;
        if xxh3_64(&bytes[..results_end]) != number(&bytes, results_end) {
            return Ok(None);
        }
        let results = bytes[BEFORE_BYTES..results_end].to_vec();
        Ok(Some(Record { rows, tokens, results }))
    }
}

impl Iterator for Replay {
    type Item = Result<Record, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        match self.record() {
            Ok(record) => {
                let record = record?;
                self.left = self.left.saturating_sub(record.bytes());
                Some(Ok(record))
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => None,
            Err(error) => Some(Err(TableError::read(&self.path)(error))),
        }
    }
}

impl Record {
    /// In the file.
    fn bytes(&self) -> u64 {
        (BEFORE_BYTES + self.results.len() + 8) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn record(number: u8) -> Record {
        Record { rows: u64::from(number), tokens: 7, results: vec![number; usize::from(number)] }
    }

    fn records(path: &Path, description: &str) -> Vec<Record> {
        let (_journal, replay) = Journal::open(path, description).unwrap();
        replay.map(Result::unwrap).collect()
    }

    #[test]
    fn what_was_written_is_found_wherever_the_file_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, replay) = Journal::open(&path, "a job").unwrap();
        assert_eq!(replay.count(), 0);
        for number in 1..4 {
            journal.append(&record(number)).unwrap();
        }
        drop(journal);
        let whole = fs::read(&path).unwrap();
        for end in 0..=whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let before = records(&path, "a job");
            assert!([1, 2, 3].map(record).starts_with(&before), "{end}");
            let (mut journal, _) = Journal::open(&path, "a job").unwrap();
            journal.append(&record(9)).unwrap();
            drop(journal);
            assert_eq!(records(&path, "a job"), [&before[..], &[record(9)]].concat());
        }
        assert_eq!(records(&path, "another job"), []);
    }

    #[test]
    fn a_record_that_was_changed_ends_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let end = HEADER_BYTES + [1, 2, 3].map(|number| record(number).bytes()).iter().sum::<u64>();
        for changed in HEADER_BYTES as usize..end as usize {
            let (mut journal, _) = Journal::open(&path, "a job").unwrap();
            for number in 1..4 {
                journal.append(&record(number)).unwrap();
            }
            drop(journal);
            let mut bytes = fs::read(&path).unwrap();
            assert_eq!(bytes.len() as u64, end);
            bytes[changed] ^= 0x80;
            fs::write(&path, bytes).unwrap();
            let found = records(&path, "a job");
            assert!(found.len() < 3 && [1, 2, 3].map(record).starts_with(&found), "{changed}");
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn two_runs_do_not_write_one_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let _first = Journal::open(&path, "a job").unwrap();
        assert!(matches!(Journal::open(&path, "a job"), Err(TableError::Busy { .. })));
    }
}
