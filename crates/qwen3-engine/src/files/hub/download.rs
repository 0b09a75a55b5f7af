//! From a hub into the cache: every file is verified before it has a name there,
//! and a revision means a commit only once all of its files are there.

mod data_set;
mod one_file;

use super::cache::{Repo, RepoType, check_room, is_whole, written};
use super::client::{Client, Delivery, Found};
use super::failure::Failure;
use super::names::{Commit, Revision, is_config, is_gguf_name, is_shard};
use crate::error::Error;
use crate::files::folder::{CONFIG, INDEX, NEEDED, SIDE_FILES, SINGLE, is_of_adapter};
use crate::files::modules::{MODULES, configs_in};
use crate::progress::{Hooks, Progress};
pub use data_set::Wanted;
use qwen3::index::files_of_index;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Tries for one file, and for one revision.
pub const ATTEMPTS: u32 = 4;
/// Before the second try; doubled before each later one.
const FIRST_WAIT: Duration = Duration::from_millis(300);
/// The largest file beside the weights, tokenizer.json, has 11 MB.
const MAX_SIDE_BYTES: u64 = 256 << 20;
/// What the list of a repository's files is called in messages.
const LISTING: &str = "the list of files";

/// One model or data set of a hub.
pub struct Hub {
    /// Its name.
    pub model: String,
    pub repo_type: RepoType,
    pub client: Client,
    pub repo: Repo,
    pub hooks: Hooks,
    /// Tries for one file.
    pub attempts: u32,
}

/// What a hub says of a revision.
struct Listing {
    commit: Commit,
    files: BTreeSet<String>,
}

impl Hub {
    /// The folder of a revision's files, or the file if the model is one GGUF file. `begun`
    /// is the commit whose snapshot lacks some; it stays the one, although its branch may
    /// have moved on.
    pub fn download(&self, revision: &Revision, begun: Option<&Commit>) -> Result<PathBuf, Error> {
        self.of_one_commit(SIDE_FILES[0], || self.download_all(revision, begun))
    }

    /// Again while files of two commits would meet: they make no model.
    fn of_one_commit<T>(
        &self,
        first_file: &str,
        download: impl Fn() -> Result<T, Failure>,
    ) -> Result<T, Error> {
        for _ in 0..ATTEMPTS {
            match download() {
                Err(Failure::Moved) => {}
                Err(failure) => return Err(self.error(first_file, failure)),
                Ok(downloaded) => {
                    self.repo.remove_old_parts();
                    return Ok(downloaded);
                }
            }
        }
        Err(self.error(first_file, Failure::Moved))
    }

    fn download_all(
        &self,
        revision: &Revision,
        begun: Option<&Commit>,
    ) -> Result<PathBuf, Failure> {
        let mut asked = revision.clone();
        let mut listing = self.attempt(LISTING, || self.list(&asked))?;
        if let Some(commit) = begun.filter(|commit| **commit != listing.commit) {
            asked = commit.into();
            listing = self.attempt(LISTING, || self.list(&asked))?;
        }
        if let Some(file) = listing.files.iter().find(|file| is_of_adapter(file)) {
            return Err(Error::Adapter { file: Path::new(&self.model).join(file) }.into());
        }
        if let Some(file) = self.only_gguf(&listing)? {
            return self.get_gguf(revision, &listing, &file);
        }
        if !listing.files.contains(CONFIG) {
            return Err(Error::NotAModelOnHub { model: self.model.clone() }.into());
        }
        self.get_folder(&asked, &listing)?;
        self.repo.set_commit(revision, &listing.commit, &self.hooks)?;
        Ok(self.repo.snapshot(&listing.commit))
    }

    /// All files that a folder is used for.
    fn get_folder(&self, asked: &Revision, listing: &Listing) -> Result<(), Failure> {
        let get = |file: &str| self.attempt(file, || self.fetch(asked, &listing.commit, file));
        let get_listed = |file: &str| {
            if NEEDED.contains(&file) || listing.files.contains(file) {
                get(file)?;
            } else {
                self.repo.mark_absent(&listing.commit, file);
            }
            Ok::<_, Failure>(())
        };
        SIDE_FILES.into_iter().try_for_each(get_listed)?;
        if listing.files.contains(MODULES) {
            configs(&get(MODULES)?)?.iter().try_for_each(|file| get_listed(file))?;
        }
        if listing.files.contains(SINGLE) {
            get(SINGLE)?;
        } else {
            for shard in shards(&get(INDEX)?)? {
                get(&shard)?;
            }
        }
        Ok(())
    }

    /// Again while that may help.
    fn attempt<T>(
        &self,
        file: &str,
        try_once: impl Fn() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            self.hooks.check()?;
            match try_once() {
                Err(Failure::Temporary(_)) if attempt < self.attempts => sleep(wait),
                Err(Failure::Moved) => return Err(Failure::Moved),
                result => return result.map_err(|failure| self.error(file, failure).into()),
            }
            wait *= 2;
        }
        unreachable!("the last attempt returns")
    }

    fn error(&self, file: &str, failure: Failure) -> Error {
        let message = match failure {
            Failure::Error(error) => return error,
            Failure::Temporary(message) | Failure::Permanent(message) => message,
            Failure::Moved => {
                "its branch moves on faster than it downloads; name a commit".to_owned()
            }
        };
        Error::Download { model: self.model.clone(), file: file.to_owned(), message }
    }

    fn list(&self, revision: &Revision) -> Result<Listing, Failure> {
        #[derive(serde::Deserialize)]
        struct Info {
            sha: String,
            siblings: Vec<Sibling>,
        }
        #[derive(serde::Deserialize)]
        struct Sibling {
            rfilename: String,
        }
        let path = format!("/api/{}/{}/revision/{revision}", self.repo_type.plural(), self.model);
        let bad =
            |what: &str| Failure::Permanent(format!("the hub's answer is no list of files{what}"));
        let info: Info = serde_json::from_slice(&self.client.text(&path)?).map_err(|_| bad(""))?;
        let commit = Commit::parse(&info.sha).ok_or_else(|| bad(" of a commit"))?;
        let files = info.siblings.into_iter().map(|file| file.rfilename).collect();
        Ok(Listing { commit, files })
    }

    /// A file's path in the cache, downloaded and verified unless it is there.
    fn fetch(&self, revision: &Revision, commit: &Commit, file: &str) -> Result<PathBuf, Failure> {
        if let Some(path) = self.repo.file(commit, file) {
            return Ok(path);
        }
        let before = self.repo_type.before_name();
        let path = format!("/{before}{}/resolve/{revision}/{file}", self.model);
        let found = self.client.find(&path)?;
        if found.commit != *commit {
            return Err(Failure::Moved);
        }
        let _lock = self.repo.lock(&found.etag, &self.hooks)?;
        if let Some(path) = self.repo.file(commit, file) {
            return Ok(path);
        }
        let blob = self.repo.blob(&found.etag);
        // Of another commit, or of a program that doesn't verify what it downloads.
        if !blob.exists() || !is_whole(&blob, &found.etag, file, &self.hooks)? {
            self.fetch_blob(&found, file)?;
        }
        Ok(self.repo.link(commit, file, &found.etag)?)
    }

    /// Takes up the part that an earlier download left, where there is one.
    fn fetch_blob(&self, found: &Found, file: &str) -> Result<(), Failure> {
        let part = self.repo.part(&found.etag)?;
        let start = fs::metadata(&part).map_or(0, |part| part.len());
        let again = |message: String| {
            let _ = fs::remove_file(&part);
            Err(Failure::Temporary(message))
        };
        match self.client.deliver(found, start) {
            Err(Failure::Permanent(message)) if start > 0 => return again(message),
            Err(failure) => return Err(failure),
            Ok(Some(delivery)) => self.receive(delivery, &part, file)?,
            // It is whole already, or there is nothing in it.
            Ok(None) => written(&part, open(&part, start).and_then(|part| part.sync_all()))?,
        }
        if is_whole(&part, &found.etag, file, &self.hooks)? {
            return Ok(self.repo.complete(&part, &found.etag)?);
        }
        if start > 0 {
            return again("what had arrived earlier doesn't belong to it".to_owned());
        }
        let _ = fs::remove_file(&part);
        Err(Error::Checksum { model: self.model.clone(), file: file.to_owned() }.into())
    }

    /// Adds to the part exactly what was announced.
    fn receive(&self, delivery: Delivery, part: &Path, file: &str) -> Result<(), Failure> {
        let Delivery { start, total_bytes, mut body } = delivery;
        self.check_size(file, total_bytes)?;
        check_room(part, total_bytes.saturating_sub(start))?;
        let mut output = written(part, open(part, start))?;
        let mut buffer = vec![0; 1 << 16];
        let mut bytes = start;
        loop {
            self.hooks.check()?;
            let file = file.to_owned();
            self.hooks.report(Progress::Download { file, bytes, total_bytes });
            let read = body.read(&mut buffer).map_err(|e| Failure::Temporary(e.to_string()))?;
            bytes += read as u64;
            match read {
                0 if bytes < total_bytes => {
                    let message = format!("only {bytes} of {total_bytes} bytes arrived");
                    return Err(Failure::Temporary(message));
                }
                0 => break,
                _ if bytes > total_bytes => {
                    let message = format!("more arrives than the {total_bytes} bytes announced");
                    return Err(Failure::Permanent(message));
                }
                _ => written(part, output.write_all(&buffer[..read]))?,
            }
        }
        // Its name must not reach the disk before its content does.
        Ok(written(part, output.sync_all())?)
    }

    /// Refuses what can't be what it should be.
    fn check_size(&self, file: &str, total_bytes: u64) -> Result<(), Failure> {
        let is_large = self.repo_type == RepoType::DataSet
            || file == SINGLE
            || is_shard(file)
            || is_gguf_name(file);
        if !is_large && total_bytes > MAX_SIDE_BYTES {
            let message = format!("{total_bytes} bytes are too many for a file of its kind");
            return Err(Failure::Permanent(message));
        }
        Ok(())
    }
}

/// A part to be added to, or begun.
fn open(part: &Path, start: u64) -> std::io::Result<File> {
    match start {
        0 => File::create(part),
        _ => OpenOptions::new().append(true).open(part),
    }
}

/// The configs of the modules that a list names.
pub fn configs(list: &Path) -> Result<Vec<String>, Error> {
    let configs = configs_in(list)?.into_iter();
    Ok(configs.filter(|file| is_config(file)).collect())
}

/// The files of weights that an index names.
fn shards(index: &Path) -> Result<BTreeSet<String>, Error> {
    let files = files_of_index(index)?;
    match files.iter().find(|file| !is_shard(file)) {
        Some(file) => {
            let (path, file) = (index.to_owned(), file.clone());
            Err(Error::Model(qwen3::Error::IndexPath { path, file }))
        }
        None => Ok(files),
    }
}
