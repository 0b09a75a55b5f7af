//! The Hugging Face hub, and the cache of what came from there.
//!
//! This is the one place of the library that reads environment variables,
//! because the cache is shared with other programs that read them:
//! `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`.

mod cache;
mod client;
mod data_set;
mod download;
mod failure;
mod gguf;
mod names;

use super::folder::{INDEX, NEEDED, SIDE_FILES, SINGLE, WEIGHTS};
use super::modules::MODULES;
use crate::error::Error;
use crate::progress::Hooks;
use cache::{Repo, RepoType};
use client::Client;
pub use data_set::{DataSet, DataSetFiles};
use download::{ATTEMPTS, Hub, configs};
use gguf::choose;
pub use gguf::{is_part, is_projector};
use names::{Commit, Revision};
use qwen3::index::files_of_index;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

pub use names::HubName;

/// The hub that is asked unless `HF_ENDPOINT` names another.
const ENDPOINT: &str = "https://huggingface.co";
/// How often a download is asked whether it is done, and its caller whether to go on.
const CANCEL_PAUSE: Duration = Duration::from_millis(20);

/// A token of the hub. It is not shown, neither is it in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct HubToken(String);

impl From<String> for HubToken {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for HubToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubToken(hidden)")
    }
}

/// What is asked of the hub.
#[derive(Clone, Copy, Debug)]
pub struct HubModel<'a> {
    /// How it is named.
    pub name: HubName<'a>,
    /// Branch, tag or commit; `None`: `main`.
    pub revision: Option<&'a str>,
    /// The cache; `None`: that of `huggingface_hub`.
    pub cache: Option<&'a Path>,
    /// `None`: `HF_TOKEN`, or that of `huggingface_hub`.
    pub token: Option<&'a HubToken>,
    /// `None`: `HF_ENDPOINT`, or the usual one.
    pub endpoint: Option<&'a str>,
}

impl HubModel<'_> {
    /// The snapshot or the GGUF file in the cache, downloaded if it isn't there; a
    /// snapshot is completed if another program left files out.
    ///
    /// # Errors
    /// If it is not there and can't be downloaded, or its name doesn't mean one file.
    pub fn locate(self, hooks: &Hooks) -> Result<PathBuf, Error> {
        let Self { name, token, endpoint, .. } = self;
        let (cache, repo, revision) = self.in_cache()?;
        let hub = |attempts| {
            let (client, model) = (client(name.model, token, endpoint)?, name.model.to_owned());
            let (repo, hooks) = (repo.clone(), hooks.clone());
            Ok(Hub { model, repo_type: RepoType::Model, client, repo, hooks, attempts })
        };
        if name.file.is_none()
            && let Some(cached) = Cached::find(&repo, &revision)
        {
            // What is needed is there: no reason to wait for a hub that doesn't answer.
            return cached.completed(name.model, revision, || hub(1));
        }
        match cached_gguf(&repo, &revision, name)? {
            Some(file) => Ok(file),
            None if is_offline() => Err(Error::Offline { model: name.to_string(), cache }),
            None => {
                let (hub, file) = (hub(ATTEMPTS)?, name.file.map(str::to_owned));
                unless_cancelled(hooks, move || match file {
                    Some(file) => hub.download_gguf(&revision, &file),
                    None => hub.download(&revision, None),
                })
            }
        }
    }

    /// The same without a request; `None` if it isn't all there. A snapshot may lack side files
    /// that another program left out.
    ///
    /// # Errors
    /// If there is no cache, or the name doesn't mean one file.
    pub fn cached(self) -> Result<Option<PathBuf>, Error> {
        let (_, repo, revision) = self.in_cache()?;
        match Cached::find(&repo, &revision) {
            Some(cached) if self.name.file.is_none() => Ok(Some(cached.folder)),
            _ => cached_gguf(&repo, &revision, self.name),
        }
    }

    /// The cache, and what is asked for in it.
    fn in_cache(self) -> Result<(PathBuf, Repo, Revision), Error> {
        let (revision, cache) = (parsed(self.revision)?, cache_or_usual(self.cache)?);
        let repo = Repo::new(&cache, RepoType::Model, self.name.model);
        Ok((cache, repo, revision))
    }
}

/// The GGUF file in the cache that a name means. The hub may have others by now, but what
/// is there isn't asked for again. A name that leaves the file open is another matter,
/// unless it is known that the only file is there.
fn cached_gguf(
    repo: &Repo,
    revision: &Revision,
    name: HubName<'_>,
) -> Result<Option<PathBuf>, Error> {
    let Some(commit) = repo.commit_of(revision) else { return Ok(None) };
    let is_only = || WEIGHTS.into_iter().all(|file| repo.is_absent(&commit, file));
    match choose(name, repo.gguf_files(&commit)) {
        Ok(file) if name.file.is_some() || is_offline() || is_only() => {
            Ok(repo.file(&commit, &file))
        }
        Err(Error::NoSuchGguf { model, choices }) if is_offline() && !choices.is_empty() => {
            Err(Error::GgufNotCached { model, choices })
        }
        Err(
            error @ (Error::SeveralGguf { .. } | Error::GgufParts { .. } | Error::GgufDtype { .. }),
        ) if is_offline() => Err(error),
        _ => Ok(None),
    }
}

/// Runs a download on a thread of its own, because nothing ends the wait for a
/// hub that doesn't answer. Its last steps may outlive the call.
fn unless_cancelled<T: Send + 'static>(
    hooks: &Hooks,
    download: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let thread = thread::Builder::new().name("download".to_owned()).spawn(download);
    let thread = thread.map_err(|source| Error::DownloadThread { source })?;
    while !thread.is_finished() {
        hooks.check()?;
        thread::sleep(CANCEL_PAUSE);
    }
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// A snapshot in the cache with everything that is needed to run.
struct Cached {
    commit: Commit,
    folder: PathBuf,
    /// Files that may be in the repository, but were never downloaded.
    missing: Vec<String>,
}

impl Cached {
    fn find(repo: &Repo, revision: &Revision) -> Option<Self> {
        let commit = repo.commit_of(revision)?;
        let file = |name: &str| repo.file(&commit, name);
        for needed in NEEDED {
            file(needed)?;
        }
        if file(SINGLE).is_none() {
            for shard in files_of_index(&file(INDEX)?).ok()? {
                file(&shard)?;
            }
        }
        let of_modules = file(MODULES).and_then(|path| configs(&path).ok()).unwrap_or_default();
        let names = SIDE_FILES.into_iter().map(str::to_owned).chain(of_modules);
        let is_missing = |name: &String| file(name).is_none() && !repo.is_absent(&commit, name);
        let missing = names.filter(is_missing).collect();
        Some(Self { folder: repo.snapshot(&commit), missing, commit })
    }

    /// The snapshot, with the files that are missing if they can be downloaded.
    fn completed(
        self,
        model: &str,
        revision: Revision,
        hub: impl FnOnce() -> Result<Hub, Error>,
    ) -> Result<PathBuf, Error> {
        if self.missing.is_empty() {
            return Ok(self.folder);
        }
        if is_offline() {
            self.warn(model, "HF_HUB_OFFLINE is set");
            return Ok(self.folder);
        }
        let begun = self.commit.clone();
        let downloaded = hub().and_then(|hub| {
            let hooks = hub.hooks.clone();
            unless_cancelled(&hooks, move || hub.download(&revision, Some(&begun)))
        });
        match downloaded {
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(error) => {
                self.warn(model, &error.to_string());
                Ok(self.folder)
            }
            completed => completed,
        }
    }

    fn warn(&self, model: &str, reason: &str) {
        let missing = self.missing.join("`, `");
        tracing::warn!(
            "the cache has no `{missing}` of `{model}`; if the model has them, its prompts and lengths \
             are not those that are used. They could not be downloaded: {reason}"
        );
    }
}

/// A revision that a user named; none is `main`.
fn parsed(revision: Option<&str>) -> Result<Revision, Error> {
    let revision = revision.unwrap_or("main");
    Revision::parse(revision).ok_or_else(|| Error::Revision { revision: revision.to_owned() })
}

fn cache_or_usual(named: Option<&Path>) -> Result<PathBuf, Error> {
    named.map(Path::to_owned).or_else(cache_folder).ok_or(Error::NoCacheFolder)
}

/// The way to the hub: the given one, that of `HF_ENDPOINT`, or the usual one.
fn client(model: &str, token: Option<&HubToken>, given: Option<&str>) -> Result<Client, Error> {
    let named = || Some(variable("HF_ENDPOINT")?.to_string_lossy().into_owned());
    let endpoint = given.map(str::to_owned).or_else(named).unwrap_or_else(|| ENDPOINT.to_owned());
    Client::new(&endpoint, hub_token(token))
        .ok_or_else(|| Error::Endpoint { model: model.to_owned(), endpoint })
}

/// The given one, or that of `HF_TOKEN`, or that which huggingface_hub keeps.
fn hub_token(given: Option<&HubToken>) -> Option<String> {
    let given = given.map(|HubToken(token)| token.clone());
    given
        .or_else(|| env::var("HF_TOKEN").ok())
        .map(|token| token.trim().to_owned())
        .filter(|token| !token.is_empty())
        .or_else(|| std::fs::read_to_string(huggingface_folder()?.join("token")).ok())
        .map(|token| token.trim().to_owned())
        .filter(|token| !token.is_empty())
}

fn cache_folder() -> Option<PathBuf> {
    let named = variable("HF_HUB_CACHE").map(PathBuf::from);
    named.or_else(|| Some(huggingface_folder()?.join("hub")))
}

/// Where huggingface_hub keeps everything. There is none without a home.
fn huggingface_folder() -> Option<PathBuf> {
    let named = variable("HF_HOME").map(PathBuf::from);
    let home = || env::home_dir().filter(|home| !home.as_os_str().is_empty());
    named.or_else(|| Some(home()?.join(".cache").join("huggingface")))
}

fn is_offline() -> bool {
    let value = variable("HF_HUB_OFFLINE").unwrap_or_default().to_ascii_lowercase();
    ["1", "true", "yes", "on"].iter().any(|yes| value == *yes)
}

/// An environment variable that is set to something.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
