//! What is kept on the disk: files, passages and vectors, in one database.
//!
//! A change is a transaction: whatever ends the process, all of it is there or nothing. The
//! passages of a file are found by its content, and a vector by the passage, so that moved and
//! copied files cost nothing. All of it can be computed again; it is a cache of the folders.

mod error;
mod vectors;

pub use error::{NO_TEXT, StoreError, damaged};
pub use vectors::Code;

use crate::documents::{Passage, passage_key};
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError,
    WriteTransaction,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Bytes, time of change, content and problem of each file. A file with a problem has no content.
const FILES: TableDefinition<&str, (u64, u64, u8, u128, &str)> = TableDefinition::new("files");
/// The passages of a content, and the line of each.
const CONTENTS: TableDefinition<u128, Vec<(u128, u32)>> = TableDefinition::new("contents");
/// The heading and the text of each passage.
const TEXTS: TableDefinition<u128, (&str, &str)> = TableDefinition::new("texts");
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");

const FORMAT: u64 = 4;
/// Pages that the database keeps in memory; its own choice would be a gigabyte.
const CACHE_BYTES: usize = 32 << 20;

/// What is known of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileRecord {
    pub bytes: u64,
    pub modified: u64,
    /// In which way it was read.
    pub reading: u8,
    pub content: u128,
    /// Why nothing of it can be found; empty: it can.
    pub problem: String,
}

/// The passages of a content: the key and the line of each.
pub type Passages = Vec<(u128, u32)>;

/// What is written at once. `None` takes it away.
#[derive(Debug, Default)]
pub struct Changes {
    pub files: Vec<(String, Option<FileRecord>)>,
    pub contents: Vec<(u128, Option<Passages>)>,
    /// With the heading. A passage that goes takes its vectors along.
    pub texts: Vec<(u128, Option<(String, String)>)>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.contents.is_empty() && self.texts.is_empty()
    }
}

/// The database.
pub struct Store {
    db: Database,
}

impl Store {
    /// Opens the database, or begins it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| StoreError::Io { source })?;
        }
        guarded(|| Self::begin(Database::builder().set_cache_size(CACHE_BYTES).create(path)?))
    }

    fn begin(db: Database) -> Result<Self, StoreError> {
        let store = Self { db };
        match store.format()? {
            // Nothing is written: the disk may be full.
            Some(FORMAT) => return Ok(store),
            Some(found) => return Err(StoreError::Format { found }),
            None => {}
        }
        store.write(|write| {
            write.open_table(FILES)?;
            write.open_table(CONTENTS)?;
            write.open_table(TEXTS)?;
            vectors::begin(write)?;
            write.open_table(NUMBERS)?.insert("format", FORMAT)?;
            Ok(())
        })?;
        Ok(store)
    }

    fn format(&self) -> Result<Option<u64>, StoreError> {
        self.read(|read| match read.open_table(NUMBERS) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            numbers => Ok(numbers?.get("format")?.map(|format| format.value())),
        })
    }

    /// A database whose writes a test can make fail.
    #[cfg(test)]
    pub fn with_backend(backend: impl redb::StorageBackend) -> Result<Self, StoreError> {
        Self::begin(Database::builder().create_with_backend(backend)?)
    }

    /// One transaction. It is on the disk when this returns.
    fn write(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        guarded(|| {
            let mut write = self.db.begin_write()?;
            // Else the whole file is read at the first start after a crash.
            write.set_quick_repair(true);
            change(&write)?;
            Ok(write.commit()?)
        })
    }

    fn read<T>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        guarded(|| look(&self.db.begin_read()?))
    }

    pub fn apply(&self, changes: &Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.write(|write| {
            let mut files = write.open_table(FILES)?;
            for (path, record) in &changes.files {
                match record {
                    Some(file) => {
                        let FileRecord { bytes, modified, reading, content, problem } = file;
                        let record = (*bytes, *modified, *reading, *content, problem.as_str());
                        files.insert(path.as_str(), record)?
                    }
                    None => files.remove(path.as_str())?,
                };
            }
            let mut contents = write.open_table(CONTENTS)?;
            for (key, passages) in &changes.contents {
                match passages {
                    Some(passages) => contents.insert(key, passages)?,
                    None => contents.remove(key)?,
                };
            }
            let mut texts = write.open_table(TEXTS)?;
            let mut gone = vec![];
            for (key, passage) in &changes.texts {
                match passage {
                    Some((heading, text)) => {
                        drop(texts.insert(key, (heading.as_str(), text.as_str()))?)
                    }
                    None => {
                        texts.remove(key)?;
                        gone.push(*key);
                    }
                };
            }
            vectors::forget(write, &gone)
        })
    }

    pub fn files(&self) -> Result<Vec<(String, FileRecord)>, StoreError> {
        self.read(|read| {
            let mut files = vec![];
            for entry in read.open_table(FILES)?.iter()? {
                let (path, record) = entry?;
                let (bytes, modified, reading, content, problem) = record.value();
                let problem = problem.to_owned();
                let record = FileRecord { bytes, modified, reading, content, problem };
                files.push((path.value().to_owned(), record));
            }
            Ok(files)
        })
    }

    pub fn contents(&self) -> Result<Vec<(u128, Passages)>, StoreError> {
        self.read(|read| {
            let mut contents = vec![];
            for entry in read.open_table(CONTENTS)?.iter()? {
                let (key, passages) = entry?;
                contents.push((key.value(), passages.value()));
            }
            Ok(contents)
        })
    }

    /// The heading and the text of each of these passages that is there. The database doesn't see
    /// that a byte of a page was changed, but a passage is named by its own hash.
    pub fn texts(&self, keys: &[u128]) -> Result<Vec<Option<(String, String)>>, StoreError> {
        self.read(|read| {
            let table = read.open_table(TEXTS)?;
            let text = |key: &u128| {
                let Some(found) = table.get(key)? else { return Ok(None) };
                let (heading, text) = found.value();
                if passage_key(&Passage::embedded(heading, text)) != *key {
                    return Err(damaged("a passage was changed"));
                }
                Ok(Some((heading.to_owned(), text.to_owned())))
            };
            keys.iter().map(text).collect()
        })
    }
}

/// Moves a damaged database out of the way, and returns where it is.
pub fn put_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let aside = path.with_extension("damaged");
    std::fs::rename(path, &aside).map_err(|source| StoreError::Io { source })?;
    Ok(aside)
}

/// The database panics at a page that another program has changed.
fn guarded<T>(access: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(access))
        .unwrap_or_else(|_| Err(damaged("a page of it makes no sense")))
}

#[cfg(test)]
pub mod tests;
