//! `log.jsonl`, a line for each step and each look at held-out data.

use super::event::Record;
use crate::error::Error;
use qwen3_engine::NewFile;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

const LOG: &str = "log.jsonl";

/// The log of a run, and all that is in it.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    pub records: Vec<Record>,
}

impl Log {
    /// Begins a log, or goes on with that of the first `step` steps.
    ///
    /// # Errors
    /// If it can't be read or written.
    pub fn open(folder: &Path, step: Option<u64>) -> Result<Self, Error> {
        let path = folder.join(LOG);
        let failed = |source| Error::Write { path: path.clone(), source };
        let mut records = vec![];
        if let Some(step) = step {
            records = read(&path)?;
            records.retain(|record| record.step <= step);
        }
        // Lines of steps that will be done again are gone, and so is half a line.
        let lines: String = records.iter().map(line).collect();
        let mut file = NewFile::create(&path).map_err(failed)?;
        file.write_all(lines.as_bytes()).and_then(|()| file.replace()).map_err(failed)?;
        let file = File::options().append(true).open(&path).map_err(failed)?;
        Ok(Self { path, file, records })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If the disk is full.
    pub fn push(&mut self, record: Record) -> Result<(), Error> {
        let written = self.file.write_all(line(&record).as_bytes());
        written.map_err(|source| Error::Write { path: self.path.clone(), source })?;
        self.records.push(record);
        Ok(())
    }
}

fn line(record: &Record) -> String {
    let json = serde_json::to_string(record).expect("a struct of plain values");
    format!("{json}\n")
}

fn read(path: &Path) -> Result<Vec<Record>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    Ok(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn a_log_goes_on_after_the_steps_that_are_kept() {
        let folder = TempDir::new().unwrap();
        let record = |step| Record { step, loss: Some(0.5), ..Record::default() };
        let mut log = Log::open(folder.path(), None).unwrap();
        (1..=3).for_each(|step| log.push(record(step)).unwrap());
        // A process that was killed in the middle of a line.
        fs::write(
            folder.path().join(LOG),
            fs::read_to_string(folder.path().join(LOG)).unwrap() + "{\"st",
        )
        .unwrap();
        let mut log = Log::open(folder.path(), Some(2)).unwrap();
        log.push(record(9)).unwrap();
        assert_eq!(read(&folder.path().join(LOG)).unwrap(), [1, 2, 9].map(record));
        assert_eq!(Log::open(folder.path(), None).unwrap().records, []);
    }
}
