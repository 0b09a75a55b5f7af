//! The cache that huggingface_hub keeps, and shares with other programs.
//!
//! A model's folder has each file's content once, in `blobs/`, named for its
//! digest. `snapshots/COMMIT/` has links to them by the files' names, `refs/` the
//! commits of branches and tags, `.no_exist/COMMIT/` an empty file for each that
//! is known not to be in the repository. `.locks/` of the whole cache says who
//! is writing. A blob has its name and a link only after it was verified, so
//! whatever a snapshot has may be trusted, whenever a program ends.

use super::names::{Commit, Etag, Revision, is_gguf_name};
use crate::error::Error;
use crate::files::checksum::{git_sha1_of, sha256_of};
use crate::progress::Hooks;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Between two looks at a lock that another program holds.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// How the names of files end that are not whole yet.
const PART: &str = "part";
/// A download that is to go on does so sooner.
const PART_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Folders in one another that GGUF files are looked for in.
const MAX_FOLDERS: usize = 3;

/// What a repository of the hub has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepoType {
    Model,
    DataSet,
}

impl RepoType {
    /// In the hub's own paths, and in names of folders of the cache.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::DataSet => "datasets",
        }
    }

    /// Before a repository's name in the paths of its files.
    pub fn before_name(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::DataSet => "datasets/",
        }
    }
}

/// One repository in the cache.
#[derive(Clone, Debug)]
pub struct Repo {
    folder: PathBuf,
    locks: PathBuf,
}

impl Repo {
    /// `name` is `owner/name`.
    pub fn new(cache: &Path, repo_type: RepoType, name: &str) -> Self {
        let name = format!("{}--{}", repo_type.plural(), name.replace('/', "--"));
        Self { folder: cache.join(&name), locks: cache.join(".locks").join(name) }
    }

    /// Branches and tags are found by `refs`; a commit needs none, and
    /// huggingface_hub writes none for it.
    pub fn commit_of(&self, revision: &Revision) -> Option<Commit> {
        let commit = fs::read_to_string(self.reference(revision)).ok();
        commit.and_then(|commit| Commit::parse(commit.trim())).or_else(|| {
            // Also if a reference is empty, as a full disk leaves it.
            Commit::parse(revision.as_str())
        })
    }

    /// The folder of a commit's files.
    pub fn snapshot(&self, commit: &Commit) -> PathBuf {
        self.folder.join("snapshots").join(commit.as_str())
    }

    /// A file of a commit, if it is there.
    pub fn file(&self, commit: &Commit, file: &str) -> Option<PathBuf> {
        Some(self.snapshot(commit).join(file)).filter(|path| path.exists())
    }

    /// The names of a commit's GGUF files that are there.
    pub fn gguf_files(&self, commit: &Commit) -> Vec<String> {
        let mut found = vec![];
        self.find_gguf(commit, "", MAX_FOLDERS, &mut found);
        found
    }

    fn find_gguf(&self, commit: &Commit, folder: &str, depth: usize, found: &mut Vec<String>) {
        let entries = fs::read_dir(self.snapshot(commit).join(folder));
        for entry in entries.into_iter().flatten().flatten() {
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            match fs::metadata(entry.path()) {
                Ok(entry) if entry.is_file() && is_gguf_name(&name) => found.push(name),
                Ok(entry) if entry.is_dir() && depth > 0 => {
                    self.find_gguf(commit, &format!("{name}/"), depth - 1, found);
                }
                _ => {}
            }
        }
    }

    /// Whether a file is known not to be in the repository.
    pub fn is_absent(&self, commit: &Commit, file: &str) -> bool {
        self.absence(commit, file).exists()
    }

    /// Remembers that a file is not in the repository. A cache that can't be
    /// written doesn't, and the hub is asked again.
    pub fn mark_absent(&self, commit: &Commit, file: &str) {
        let mark = self.absence(commit, file);
        if !mark.exists() && create_parent(&mark).is_ok() {
            let _ = File::create(mark);
        }
    }

    /// Waits until no other program downloads this file. Dropped, it's free again.
    pub fn lock(&self, etag: &Etag, hooks: &Hooks) -> Result<File, Error> {
        self.lock_named(etag.as_str(), hooks)
    }

    fn lock_named(&self, name: &str, hooks: &Hooks) -> Result<File, Error> {
        let file = self.lock_file(name)?;
        let mut is_told = false;
        loop {
            hooks.check()?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) if !is_told => {
                    let lock = self.locks.join(format!("{name}.lock"));
                    let lock = lock.display();
                    tracing::info!("another program is downloading; waiting for `{lock}`");
                    is_told = true;
                }
                Err(TryLockError::WouldBlock) => sleep(LOCK_PAUSE),
                // Where the file system has no locks, what two programs write
                // into one file is found by its checksum.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
            }
        }
    }

    fn lock_file(&self, name: &str) -> Result<File, Error> {
        let path = self.locks.join(format!("{name}.lock"));
        let open = || OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        written(&path, create_parent(&path).and_then(|()| open()))
    }

    /// Where a file's content is.
    pub fn blob(&self, etag: &Etag) -> PathBuf {
        self.folder.join("blobs").join(etag.as_str())
    }

    /// Where a file's content grows while it arrives.
    pub fn part(&self, etag: &Etag) -> Result<PathBuf, Error> {
        let part = self.blob(etag).with_extension(PART);
        written(&part, create_parent(&part))?;
        Ok(part)
    }

    /// Removes the parts that nobody has added to for long: of files that the hub may no longer
    /// have, else they would have been taken up. Whoever adds to one holds its lock.
    pub fn remove_old_parts(&self) {
        for entry in fs::read_dir(self.folder.join("blobs")).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_part = path.extension().is_some_and(|ending| ending == PART);
            let changed = entry.metadata().and_then(|part| part.modified());
            let age = changed.ok().and_then(|time| time.elapsed().ok());
            let Some(name) = path.file_stem().filter(|_| is_part && age > Some(PART_AGE)) else {
                continue;
            };
            let lock = self.lock_file(&name.to_string_lossy());
            if lock.is_ok_and(|lock| lock.try_lock().is_ok() && fs::remove_file(&path).is_ok()) {
                tracing::debug!("removed `{}`", path.display());
            }
        }
    }

    /// Gives what has arrived, and was verified, its name.
    pub fn complete(&self, part: &Path, etag: &Etag) -> Result<(), Error> {
        let blob = self.blob(etag);
        written(&blob, fs::rename(part, &blob))
    }

    /// Makes a blob a file of a commit.
    pub fn link(&self, commit: &Commit, file: &str, etag: &Etag) -> Result<PathBuf, Error> {
        let pointer = self.snapshot(commit).join(file);
        written(&pointer, create_parent(&pointer))?;
        // A link to a blob that is gone.
        let _ = fs::remove_file(&pointer);
        let ups = 2 + file.matches('/').count();
        let target: PathBuf =
            std::iter::repeat_n("..", ups).chain(["blobs", etag.as_str()]).collect();
        let blob = self.blob(etag);
        // Windows makes links on shared disks that it doesn't follow, and Wine makes none.
        let is_read = symlink(&target, &pointer).and_then(|()| fs::metadata(&pointer));
        let linked = is_read.map(drop).or_else(|_| fs::rename(&blob, &pointer));
        written(&pointer, linked)?;
        Ok(pointer)
    }

    /// Lets a revision mean a commit, at once.
    pub fn set_commit(
        &self,
        revision: &Revision,
        commit: &Commit,
        hooks: &Hooks,
    ) -> Result<(), Error> {
        if self.commit_of(revision).as_ref() == Some(commit) {
            return Ok(());
        }
        let _lock = self.lock_named("refs", hooks)?;
        let (new, reference) = (self.locks.join("refs.new"), self.reference(revision));
        let write = || {
            create_parent(&reference)?;
            fs::write(&new, commit.as_str())?;
            fs::rename(&new, &reference)
        };
        written(&reference, write())
    }

    fn reference(&self, revision: &Revision) -> PathBuf {
        self.folder.join("refs").join(revision.as_str())
    }

    fn absence(&self, commit: &Commit, file: &str) -> PathBuf {
        self.folder.join(".no_exist").join(commit.as_str()).join(file)
    }
}

/// Whether a file's content is what its etag says.
pub fn is_whole(path: &Path, etag: &Etag, file: &str, hooks: &Hooks) -> Result<bool, Error> {
    let digest = if etag.is_sha256() { sha256_of } else { git_sha1_of };
    Ok(digest(path, file, hooks)? == etag.as_str())
}

/// Refuses a part that has no room to grow.
pub fn check_room(part: &Path, needed: u64) -> Result<(), Error> {
    match fs4::available_space(part.parent().unwrap_or(part)) {
        Ok(free) if free < needed => Err(Error::DiskFull { path: part.to_owned(), needed, free }),
        _ => Ok(()),
    }
}

/// What the system said of writing into the cache.
pub fn written<T>(path: &Path, result: io::Result<T>) -> Result<T, Error> {
    result.map_err(|source| Error::Cache { path: path.to_owned(), source })
}

fn create_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Windows lets only some users make links.
#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_target: &Path, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
