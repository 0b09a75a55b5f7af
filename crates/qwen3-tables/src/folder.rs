//! A folder of results, in parts.

use crate::error::TableError;
use crate::input::InputFile;
use crate::job::Job;
use crate::journal::{HEADER_BYTES, Journal, Replay};
use crate::npy;
use crate::precision::Ranges;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What belongs to the run and not to the results. Readers of folders of tables pass over names
/// that begin with an underscore.
const WORK: &str = "_qwen3";
/// How the names of manifests and parts begin.
const MANIFEST: &str = "manifest-";
const PART: &str = "part-";
const JOURNAL: &str = "journal";
const RANGES: &str = "ranges.npy";

/// The output of a run that can be ended and begun again, by one machine or several.
pub struct Folder {
    path: PathBuf,
    job: Job,
    digest: String,
    ending: &'static str,
}

/// A file of the output: whole under its name, or not there.
pub struct Part {
    path: PathBuf,
    /// Its name until it is whole.
    unfinished: PathBuf,
    journal: PathBuf,
    description: String,
}

impl Folder {
    /// Opens the folder of a job, and makes it if it isn't there. `name` is told apart from other
    /// machines at the same job, `ending` that of the parts.
    ///
    /// # Errors
    /// If the folder has something else in it, or another job's results.
    pub fn open(
        path: &Path,
        (job, inputs): (&Job, &[InputFile]),
        name: &str,
        ending: &'static str,
    ) -> Result<Self, TableError> {
        let (digest, job) = (job.digest(), job.clone());
        let folder = Self { path: path.to_owned(), job, digest, ending };
        let work = folder.work();
        let has_others = path.exists() && !work.exists() && !is_empty(path)?;
        if has_others || path.is_file() {
            return Err(TableError::NotOurs { path: path.to_owned() });
        }
        // Not its parents: a path that leads nowhere is a slip.
        for folder in [path, &work].into_iter().filter(|folder| !folder.exists()) {
            fs::create_dir(folder).map_err(TableError::write(folder))?;
        }
        let own = work.join(format!("{MANIFEST}{name}.json"));
        let is_bound = Self::is_begun(path)?;
        let manifests = entries(&work, MANIFEST)?;
        if is_bound && manifests.is_empty() {
            return Err(TableError::NoManifest { path: path.to_owned() });
        }
        for manifest in manifests.into_iter().filter(|it| is_bound || *it != own) {
            let text = fs::read(&manifest).map_err(TableError::read(&manifest))?;
            let before: Job =
                serde_json::from_slice(&text).map_err(|source| TableError::Broken {
                    path: manifest.clone(),
                    what: "manifest of this program",
                    source: source.into(),
                })?;
            folder.job.check(&before, path, inputs)?;
        }
        let text =
            serde_json::to_string_pretty(&folder.job).expect("strings and numbers are always JSON");
        folder.put(&format!("{MANIFEST}{name}.json"), text.as_bytes())?;
        Ok(folder)
    }

    /// Whether something has been computed for a folder. What came to nothing binds nobody.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn is_begun(path: &Path) -> Result<bool, TableError> {
        let work = path.join(WORK);
        Ok(work.is_dir() && (!entries(path, PART)?.is_empty() || has_records(&work)?))
    }

    /// The job that it was opened for.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Removes what a run has written, and nothing else.
    ///
    /// # Errors
    /// If something can't be removed, or the folder isn't one of a run.
    pub fn remove(path: &Path) -> Result<(), TableError> {
        let work = path.join(WORK);
        if !work.is_dir() {
            return if path.exists() && !is_empty(path)? {
                Err(TableError::NotOurs { path: path.to_owned() })
            } else {
                Ok(())
            };
        }
        for part in entries(path, PART)? {
            fs::remove_file(&part).map_err(TableError::write(&part))?;
        }
        fs::remove_dir_all(&work).map_err(TableError::write(&work))?;
        match fs::remove_dir(path) {
            Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => {
                Err(TableError::write(path)(error))
            }
            _ => Ok(()),
        }
    }

    fn work(&self) -> PathBuf {
        self.path.join(WORK)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The part of this place in the input.
    pub fn part(&self, file: usize, part: u64) -> Part {
        let name = format!("{PART}{file:05}-{part:05}.{}", self.ending);
        let at = |ending: &str| self.work().join(format!("{name}.{ending}"));
        Part {
            unfinished: at("unfinished"),
            journal: at(JOURNAL),
            description: format!("{} {name}", self.digest),
            path: self.path.join(name),
        }
    }

    /// The parts that are whole, in the order of the input.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub fn parts(&self) -> Result<Vec<PathBuf>, TableError> {
        entries(&self.path, PART)
    }

    /// The ranges of bytes that this job began with.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn ranges(&self, dimensions: usize) -> Result<Option<Ranges>, TableError> {
        let path = self.work().join(RANGES);
        if path.exists() { Ranges::kept(&path, dimensions).map(Some) } else { Ok(None) }
    }

    /// Where they are, if there are any.
    pub fn ranges_file(&self) -> Option<PathBuf> {
        Some(self.work().join(RANGES)).filter(|path| path.exists())
    }

    /// Keeps the ranges of bytes for who goes on with this job.
    ///
    /// # Errors
    /// If they can't be written.
    pub fn keep_ranges(&self, ranges: &Ranges) -> Result<(), TableError> {
        self.put(RANGES, &ranges.to_npy())
    }

    /// A file that is whole or not there.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), TableError> {
        let path = self.work().join(name);
        let put = || -> io::Result<()> {
            // A name of this process's own: others may write the same file.
            let unfinished = self.work().join(format!(".{name}.{}", std::process::id()));
            let mut file = File::create(&unfinished)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        put().map_err(TableError::write(&path))
    }
}

impl Part {
    /// Whether it is there and ends as its format does: a disk or a person may have cut it since.
    pub fn is_done(&self) -> bool {
        File::open(&self.path)
            .is_ok_and(|mut file| ends_well(&mut file, &self.path).unwrap_or(false))
    }

    /// Its file under its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was computed for it before, and where to keep the rest.
    ///
    /// # Errors
    /// If another process computes it, or the journal can't be opened.
    pub fn journal(&self) -> Result<(Journal, Replay), TableError> {
        Journal::open(&self.journal, &self.description)
    }

    /// Begins its file.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn create(&self) -> Result<File, TableError> {
        File::create(&self.unfinished).map_err(TableError::write(&self.path))
    }

    /// Gives the file its name, once all of it is on the disk. Its journal is not needed then.
    ///
    /// # Errors
    /// If the system refuses; everything is then as it was.
    pub fn finish(self, file: File, journal: Journal) -> Result<(), TableError> {
        let finish = || -> io::Result<()> {
            file.sync_all()?;
            drop(file);
            fs::rename(&self.unfinished, &self.path)?;
            sync_folder(self.path.parent().unwrap_or(Path::new(".")))
        };
        finish().map_err(TableError::write(&self.path))?;
        drop(journal);
        fs::remove_file(&self.journal).map_err(TableError::write(&self.journal))
    }
}

/// By the last bytes, or the size that a header tells.
fn ends_well(file: &mut File, path: &Path) -> io::Result<bool> {
    let bytes = file.metadata()?.len();
    let mut start = vec![];
    (&*file).take(npy::HEADER_BYTES as u64).read_to_end(&mut start)?;
    let mut end = |length: u64| -> io::Result<Vec<u8>> {
        let mut end = vec![];
        file.seek(SeekFrom::Start(bytes.saturating_sub(length)))?;
        file.read_to_end(&mut end)?;
        Ok(end)
    };
    Ok(match path.extension().and_then(|ending| ending.to_str()) {
        Some("parquet") => end(4)? == b"PAR1",
        Some("arrow") => end(6)? == b"ARROW1",
        Some("npy") => npy::file_bytes(&start) == Some(bytes),
        _ => bytes == 0 || end(1)? == b"\n",
    })
}

/// Entries of a folder whose names begin so, by name.
fn entries(folder: &Path, start: &str) -> Result<Vec<PathBuf>, TableError> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let mut found = vec![];
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(start) {
                found.push(entry.path());
            }
        }
        found.sort_unstable();
        Ok(found)
    };
    read().map_err(TableError::read(folder))
}

/// Whether a journal in this folder has more than its beginning.
fn has_records(work: &Path) -> Result<bool, TableError> {
    let parts = entries(work, PART)?;
    let mut journals = parts.iter().filter(|path| path.extension().is_some_and(|it| it == JOURNAL));
    Ok(journals.any(|path| path.metadata().is_ok_and(|file| file.len() > HEADER_BYTES)))
}

fn is_empty(folder: &Path) -> Result<bool, TableError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(TableError::read(folder)(error)),
    }
}

/// So that a new name is there after a loss of power.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder can't be opened as a file.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
