//! A file of vectors that are found by what they are of.
//!
//! It is only ever appended to, and each record has a checksum: whatever ends a process, what
//! was written before is found again, and half a record is none.

use super::error::EvalError;
use super::files::TRIED;
use qwen3_engine::NewFile;
use qwen3_tables::open_alone;
use std::collections::HashMap;
use std::env::temp_dir;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

const MAGIC: &[u8; 16] = b"qwen3 vectors 1\n";
/// Magic, width, bytes of the description.
const HEADER_BYTES: usize = 24;
/// Key, tokens and microseconds before a vector, checksum behind it.
const BEFORE_BYTES: usize = 24;
const AFTER_BYTES: usize = 8;

/// One vector, with what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub row: Vec<f32>,
    pub tokens: u32,
    /// Its part of the time in which it was computed.
    pub micros: u32,
}

/// What a text is found by.
pub fn key(text: &str) -> u128 {
    xxh3_128(text.as_bytes())
}

/// The vectors of one model and prompt.
pub struct Store {
    /// None: it has no name, and is gone with the process.
    path: Option<PathBuf>,
    file: File,
    width: usize,
    places: HashMap<u128, u64>,
    end: u64,
    /// Else another process adds to it, and this one only reads what was there before.
    is_mine: bool,
}

impl Store {
    /// Opens the file of a description in a folder, or begins it. `description` says all that
    /// a vector depends on beside its text.
    pub fn open(folder: &Path, description: &str, width: usize) -> Result<Self, EvalError> {
        let name = format!("{:032x}.vectors", xxh3_128(description.as_bytes()));
        let path = folder.join(name);
        let failed = |source| EvalError::Cache { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let own = open_alone(&path).map_err(failed)?;
        let is_mine = own.is_some();
        let file = own.map_or_else(|| File::open(&path), Ok).map_err(failed)?;
        Self { path: Some(path), file, width, places: HashMap::new(), end: 0, is_mine }
            .begun(description)
    }

    /// A file for this process alone.
    pub fn temporary(width: usize) -> Result<Self, EvalError> {
        let file = temporary_file()?;
        Self { path: None, file, width, places: HashMap::new(), end: 0, is_mine: true }.begun("")
    }

    /// Whether this process may add to it.
    pub fn is_mine(&self) -> bool {
        self.is_mine
    }

    fn record_bytes(&self) -> usize {
        BEFORE_BYTES + 4 * self.width + AFTER_BYTES
    }

    /// Checks the header, or writes it, and finds the records.
    fn begun(mut self, description: &str) -> Result<Self, EvalError> {
        let mut header = Vec::with_capacity(HEADER_BYTES + description.len());
        header.extend(MAGIC);
        header.extend((self.width as u32).to_le_bytes());
        header.extend((description.len() as u32).to_le_bytes());
        header.extend(description.as_bytes());
        let bytes = self.file.metadata().map_err(|source| self.failed(source))?.len();
        let start = header.len() as u64;
        if bytes < start {
            // New, or ended before its header was whole.
            if self.is_mine {
                self.file.set_len(0).map_err(|source| self.failed(source))?;
                self.write_at(0, &header).map_err(|source| self.failed(source))?;
            }
            self.end = start;
            return Ok(self);
        }
        let mut found = vec![0; header.len()];
        self.read_at(0, &mut found).map_err(|source| self.failed(source))?;
        if found != header {
            return Err(EvalError::NoCache { path: self.path.unwrap_or_default() });
        }
        self.end = start;
        self.find(bytes)?;
        Ok(self)
    }

    fn find(&mut self, bytes: u64) -> Result<(), EvalError> {
        let record = self.record_bytes() as u64;
        let mut key = [0; 16];
        while self.end + record <= bytes {
            self.read_at(self.end, &mut key).map_err(|source| self.failed(source))?;
            self.places.insert(u128::from_le_bytes(key), self.end);
            self.end += record;
        }
        // What a process that was ended has left of its last record.
        if self.end < bytes && self.is_mine {
            self.file.set_len(self.end).map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    /// The vector of a key; none if it isn't there or its record is broken.
    pub fn get(&mut self, key: u128) -> Result<Option<Stored>, EvalError> {
        let Some(&place) = self.places.get(&key) else { return Ok(None) };
        let mut bytes = vec![0; self.record_bytes()];
        self.read_at(place, &mut bytes).map_err(|source| self.failed(source))?;
        let (record, checksum) = bytes.split_at(bytes.len() - AFTER_BYTES);
        if xxh3_64(record).to_le_bytes() != checksum || record[..16] != key.to_le_bytes() {
            return Ok(None);
        }
        let number = |at: usize| {
            u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
        };
        let row = (BEFORE_BYTES..record.len()).step_by(4).map(|at| f32::from_bits(number(at)));
        Ok(Some(Stored { row: row.collect(), tokens: number(16), micros: number(20) }))
    }

    /// Keeps vectors. They are with the system when this returns, so that a process that is killed
    /// loses none of them.
    pub fn append(&mut self, vectors: &[(u128, Stored)]) -> Result<(), EvalError> {
        if !self.is_mine {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(vectors.len() * self.record_bytes());
        for (key, stored) in vectors {
            let start = bytes.len();
            bytes.extend(key.to_le_bytes());
            bytes.extend(stored.tokens.to_le_bytes());
            bytes.extend(stored.micros.to_le_bytes());
            bytes.extend(stored.row.iter().flat_map(|x| x.to_le_bytes()));
            bytes.extend(xxh3_64(&bytes[start..]).to_le_bytes());
        }
        if let Err(source) = self.write_at(self.end, &bytes) {
            // A full disk: what is behind the last whole record would be in the way.
            let _ = self.file.set_len(self.end);
            return Err(self.failed(source));
        }
        for (key, _) in vectors {
            self.places.insert(*key, self.end);
            self.end += self.record_bytes() as u64;
        }
        Ok(())
    }

    fn read_at(&self, place: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place))?;
        file.read_exact(bytes)
    }

    fn write_at(&self, place: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place))?;
        file.write_all(bytes)
    }

    fn failed(&self, source: io::Error) -> EvalError {
        match &self.path {
            Some(path) => {
                let folder = path.parent().unwrap_or(Path::new("."));
                EvalError::Cache { path: folder.to_owned(), source }
            }
            None => EvalError::Temporary { folder: temp_dir(), source },
        }
    }
}

/// A file that nobody has to remove, whatever ends the process.
pub fn temporary_file() -> Result<File, EvalError> {
    let folder = temp_dir();
    // An error of the first doesn't name a file that nobody knows.
    let begun = NewFile::create(&folder.join(TRIED)).and_then(|_| tempfile::tempfile_in(&folder));
    begun.map_err(|source| EvalError::Temporary { folder, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(number: u32) -> (u128, Stored) {
        let row = vec![number as f32, 0.5, -1.0];
        (key(&number.to_string()), Stored { row, tokens: number, micros: 7 })
    }

    fn found(store: &mut Store) -> Vec<u32> {
        let is_there = |number: &u32| {
            let (key, expected) = stored(*number);
            let found = store.get(key).unwrap();
            assert!(found.is_none() || found == Some(expected));
            found.is_some()
        };
        (0..10).filter(is_there).collect()
    }

    #[test]
    fn what_was_written_is_found_whatever_ended_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Store::open(folder.path(), "a model", 3).unwrap();
        let mut store = open();
        store.append(&[stored(1), stored(2)]).unwrap();
        store.append(&[stored(3)]).unwrap();
        assert_eq!(found(&mut store), [1, 2, 3]);
        let path = store.path.clone().unwrap();
        drop(store);
        let whole = std::fs::read(&path).unwrap();
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let mut store = open();
            let before = found(&mut store);
            assert!([1, 2, 3].starts_with(&before), "{before:?}");
            store.append(&[stored(4)]).unwrap();
            drop(store);
            assert_eq!(found(&mut open()), [&before[..], &[4]].concat());
        }
    }

    #[test]
    fn a_record_that_was_changed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), "a model", 3).unwrap();
        store.append(&[stored(1), stored(2)]).unwrap();
        let path = store.path.clone().unwrap();
        drop(store);
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 12;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let mut store = Store::open(folder.path(), "a model", 3).unwrap();
        assert_eq!(found(&mut store), [1]);
        store.append(&[stored(2)]).unwrap();
        assert_eq!(found(&mut store), [1, 2]);
    }

    #[test]
    fn two_processes_do_not_write_to_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Store::open(folder.path(), "a model", 3).unwrap();
        first.append(&[stored(1)]).unwrap();
        let mut second = Store::open(folder.path(), "a model", 3).unwrap();
        assert!(first.is_mine() && !second.is_mine());
        second.append(&[stored(2)]).unwrap();
        assert_eq!((found(&mut first), found(&mut second)), (vec![1], vec![1]));
        let mut other = Store::open(folder.path(), "another model", 3).unwrap();
        assert!(other.is_mine() && found(&mut other).is_empty());
    }
}
