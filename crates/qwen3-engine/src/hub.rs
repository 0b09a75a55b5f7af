//! Where a model's files are: a folder, or the Hugging Face hub and its cache.
//!
//! This is the one place of the library that reads environment variables,
//! because the cache is shared with other programs that read them:
//! `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`.

use crate::checkpoint::{is_of_adapter, refuse_adapter};
use crate::checksum::sha256;
use crate::error::Error;
use crate::modules::{MODULES, configs_in};
use crate::options::HubToken;
use crate::portable::is_portable;
use crate::progress::{Hooks, Progress};
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use qwen3::files;
use qwen3::weights::files_of_index;
use std::collections::BTreeSet;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files beside the weights that are used. Without the first two nothing runs.
pub(crate) const SIDE_FILES: [&str; 8] = [
    "config.json",
    "tokenizer.json",
    "1_Pooling/config.json",
    "config_sentence_transformers.json",
    "generation_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
];
const NEEDED: usize = 2;
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Tries for one file, and for one revision.
const ATTEMPTS: u32 = 4;
/// Before the second try; doubled before each later one.
const FIRST_WAIT: Duration = Duration::from_millis(300);

/// What is asked of the hub.
#[derive(Clone, Copy, Debug, Default)]
pub struct HubOptions<'a> {
    /// Branch, tag or commit; `None`: `main`.
    pub revision: Option<&'a str>,
    /// The cache; `None`: that of `huggingface_hub`.
    pub cache: Option<&'a Path>,
    /// `None`: `HF_TOKEN`, or that of `huggingface_hub`.
    pub token: Option<&'a HubToken>,
}

/// Where the files of `model` are: a folder, itself or that of a file in it;
/// a portable file; or a snapshot in the hub's cache, which is downloaded into
/// as needed.
///
/// # Errors
/// If there is no such model, or it can't be downloaded.
pub fn model_path(model: &str, from: HubOptions<'_>, hooks: &Hooks) -> Result<PathBuf, Error> {
    let path = Path::new(model);
    if path.is_dir() {
        refuse_adapter(path)?;
        let folder = path.to_owned();
        return match path.join(SIDE_FILES[0]).exists() {
            true => Ok(folder),
            false => Err(Error::NotAModel { folder }),
        };
    }
    if path.is_file() {
        return folder_of(path);
    }
    if !is_hub_id(model) {
        return Err(Error::NoSuchModel { model: model.to_owned() });
    }
    let revision = from.revision.unwrap_or("main").to_owned();
    let repo = Repo::with_revision(model.to_owned(), RepoType::Model, revision.clone());
    let cache = Cache::new(from.cache.map_or_else(cache_folder, Path::to_owned));
    let snapshot = Snapshot { folder: cache.path().join(repo.folder_name()), revision };
    if let Some(folder) = snapshot.complete() {
        return Ok(folder);
    }
    if is_offline() {
        return Err(Error::Offline { model: model.to_owned(), cache: cache.path().clone() });
    }
    let api = api(&cache, from.token).map_err(|error| failed(model, SIDE_FILES[0], &error))?;
    let (repo, cache) = (api.repo(repo.clone()), cache.repo(repo));
    Hub { model, api, repo, cache, snapshot, hooks }.download()
}

/// The file itself if it is a portable one, else the folder that it is in.
fn folder_of(file: &Path) -> Result<PathBuf, Error> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let shards = || files_of_index(&folder.join(INDEX)).unwrap_or_default();
    let is_of_folder = |name: &str| {
        [SINGLE, INDEX].contains(&name) || SIDE_FILES.contains(&name) || shards().contains(name)
    };
    if is_portable(file) {
        Ok(file.to_owned())
    } else if is_of_folder(&name) && folder.join(SIDE_FILES[0]).exists() {
        Ok(folder.to_owned())
    } else {
        files::check_head(file)?;
        Err(Error::NotAModelFile { file: file.to_owned() })
    }
}

/// `owner/name`, each of letters, digits, `-`, `_` and `.`.
fn is_hub_id(model: &str) -> bool {
    let plain = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && part.chars().all(allowed) && part.trim_matches('.') == part
    };
    model.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name))
}

fn cache_folder() -> PathBuf {
    match (env::var_os("HF_HUB_CACHE"), env::var_os("HF_HOME")) {
        (Some(cache), _) => cache.into(),
        (None, Some(home)) => PathBuf::from(home).join("hub"),
        (None, None) => Cache::default().path().clone(),
    }
}

fn is_offline() -> bool {
    let value = env::var("HF_HUB_OFFLINE").unwrap_or_default().to_lowercase();
    ["1", "true", "yes", "on"].contains(&value.as_str())
}

/// A revision of a model in the hub's cache, as huggingface_hub lays it out.
struct Snapshot {
    folder: PathBuf,
    revision: String,
}

impl Snapshot {
    /// A file, if it is there. Branches and tags are found by `refs`; a commit
    /// needs none, and huggingface_hub writes none for it.
    fn get(&self, file: &str) -> Option<PathBuf> {
        let commit = std::fs::read_to_string(self.folder.join("refs").join(&self.revision));
        let commit = commit.unwrap_or_else(|_| self.revision.clone());
        let path = self.folder.join("snapshots").join(commit.trim()).join(file);
        path.exists().then_some(path)
    }

    /// The folder of the files, if everything needed is in it.
    fn complete(&self) -> Option<PathBuf> {
        let [config, _] = [self.get(SIDE_FILES[0])?, self.get(SIDE_FILES[1])?];
        if self.get(SINGLE).is_none() {
            for shard in files_of_index(&self.get(INDEX)?).ok()? {
                self.get(&shard)?;
            }
        }
        config.parent().map(Path::to_owned)
    }
}

struct Hub<'a> {
    model: &'a str,
    api: Api,
    repo: ApiRepo,
    cache: CacheRepo,
    snapshot: Snapshot,
    hooks: &'a Hooks,
}

/// The way to the hub.
fn api(cache: &Cache, token: Option<&HubToken>) -> Result<Api, ApiError> {
    let given = token.map(|token| token.secret().to_owned());
    let token = given.or_else(|| env::var("HF_TOKEN").ok()).filter(|token| !token.is_empty());
    let mut builder = ApiBuilder::from_cache(cache.clone())
        .with_token(token.or_else(|| Cache::from_env().token()))
        .with_progress(false)
        .with_user_agent("qwen3", env!("CARGO_PKG_VERSION"));
    if let Ok(endpoint) = env::var("HF_ENDPOINT") {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    builder.build()
}

impl Hub<'_> {
    fn download(&self) -> Result<PathBuf, Error> {
        // More than once if the branch moves on meanwhile: files of two commits make no model.
        for _ in 0..ATTEMPTS {
            self.download_all()?;
            if let Some(folder) = self.snapshot.complete() {
                return Ok(folder);
            }
        }
        let message = "its branch moves on faster than it downloads; name a commit".to_owned();
        let (model, file) = (self.model.to_owned(), SIDE_FILES[0].to_owned());
        Err(Error::Download { model, file, message })
    }

    fn download_all(&self) -> Result<(), Error> {
        let listing =
            self.repo.info().map_err(|error| failed(self.model, "the list of files", &error))?;
        let listed: BTreeSet<String> =
            listing.siblings.into_iter().map(|file| file.rfilename).collect();
        if let Some(file) = listed.iter().find(|file| is_of_adapter(file)) {
            return Err(Error::Adapter { file: Path::new(self.model).join(file) });
        }
        for (index, file) in SIDE_FILES.into_iter().enumerate() {
            if index < NEEDED || listed.contains(file) {
                self.get(file)?;
            }
        }
        if listed.contains(MODULES) {
            let configs = configs_in(&self.get(MODULES)?)?;
            for config in configs.iter().filter(|config| listed.contains(*config)) {
                self.get(config)?;
            }
        }
        if listed.contains(SINGLE) {
            self.get(SINGLE)?;
        } else {
            for shard in files_of_index(&self.get(INDEX)?)? {
                self.get(&shard)?;
            }
        }
        Ok(())
    }

    /// The file's path in the cache, downloaded and verified unless it is there.
    fn get(&self, file: &str) -> Result<PathBuf, Error> {
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            self.hooks.check()?;
            if let Some(path) = self.snapshot.get(file) {
                return Ok(path);
            }
            match self.fetch(file)? {
                Ok(path) => {
                    self.verify(file, &path)?;
                    return Ok(path);
                }
                Err(error) if attempt == ATTEMPTS => {
                    return Err(failed(self.model, file, &error));
                }
                Err(_) => std::thread::sleep(wait),
            }
            wait *= 2;
        }
        unreachable!("the last attempt returns")
    }

    /// One attempt. hf-hub's own retries are not used: they append to a part
    /// that they have already resumed, from its beginning.
    fn fetch(&self, file: &str) -> Result<Result<PathBuf, ApiError>, Error> {
        match self.api.metadata(&self.repo.url(file)) {
            Ok(metadata) => {
                // A part that is whole or longer can't be resumed, only dropped.
                let part = self.cache.blob_path(metadata.etag()).with_extension("part");
                if std::fs::metadata(&part).is_ok_and(|part| part.len() >= metadata.size() as u64) {
                    let _ = std::fs::remove_file(part);
                }
            }
            Err(error) => return Ok(Err(error)),
        }
        let reporter = Reporter { hooks: self.hooks, file, bytes: 0, total_bytes: 0 };
        // hf-hub asks nobody whether to go on; the reporter unwinds out of it
        // to cancel. The part that has arrived stays, and is resumed from.
        let downloaded =
            catch_unwind(AssertUnwindSafe(|| self.repo.download_with_progress(file, reporter)));
        match downloaded {
            Ok(result) => Ok(result),
            Err(panic) if panic.is::<CancelledDownload>() => Err(Error::Cancelled),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Compares with the SHA-256 that the hub gives for large files as their etag.
    fn verify(&self, file: &str, path: &Path) -> Result<(), Error> {
        let metadata = self.api.metadata(&self.repo.url(file));
        let metadata = metadata.map_err(|error| failed(self.model, file, &error))?;
        let expected = metadata.etag();
        if expected.len() != 64 || !expected.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(());
        }
        let found = sha256(path, self.hooks);
        if matches!(&found, Ok(digest) if digest.eq_ignore_ascii_case(expected)) {
            return Ok(());
        }
        // Damaged or not known to be whole, because it was cancelled: the
        // pointer and what it points to go, else the next call would trust them.
        if let Ok(blob) = path.canonicalize() {
            let _ = std::fs::remove_file(blob);
        }
        let _ = std::fs::remove_file(path);
        found?;
        Err(Error::Checksum { model: self.model.to_owned(), file: file.to_owned() })
    }
}

fn failed(model: &str, file: &str, error: &ApiError) -> Error {
    let (model, file) = (model.to_owned(), file.to_owned());
    Error::Download { model, file, message: error.to_string() }
}

/// What a download unwinds with when it is cancelled.
struct CancelledDownload;

struct Reporter<'a> {
    hooks: &'a Hooks,
    file: &'a str,
    bytes: u64,
    total_bytes: u64,
}

impl hf_hub::api::Progress for Reporter<'_> {
    fn init(&mut self, size: usize, _filename: &str) {
        (self.bytes, self.total_bytes) = (0, size as u64);
    }

    fn update(&mut self, size: usize) {
        if self.hooks.cancel.is_cancelled() {
            // Not `panic!`: no message on standard error, no hook.
            resume_unwind(Box::new(CancelledDownload));
        }
        self.bytes += size as u64;
        let (bytes, total_bytes) = (self.bytes, self.total_bytes);
        self.hooks.report(Progress::Download { file: self.file.to_owned(), bytes, total_bytes });
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_ids_are_told_from_paths() {
        for id in ["Qwen/Qwen3-Embedding-0.6B", "tomaarsen/Qwen3-Reranker-0.6B-seq-cls"] {
            assert!(is_hub_id(id), "{id}");
        }
        for path in ["", "Qwen", "../x", "./x", "a/b/c", "/a", "a/", "a/..", "C:\\a", "a b/c"] {
            assert!(!is_hub_id(path), "{path}");
        }
    }
}
