//! Data sets on the hub, by their names.

use super::cache::{Repo, RepoType};
use super::download::{ATTEMPTS, Hub, Wanted};
use super::names::{is_hub_id, is_plain_path};
use super::{HubToken, cache_or_usual, client, is_offline, parsed, unless_cancelled};
use crate::error::Error;
use crate::progress::Hooks;
use std::fmt;
use std::path::PathBuf;

/// A data set on the hub, or a folder of it.
///
/// ```
/// # use qwen3_engine::DataSet;
/// assert!(DataSet::parse("mteb/nfcorpus").is_some());
/// assert!(DataSet::parse("mteb/amazon_massive_intent/en").is_some());
/// assert!(DataSet::parse("../nfcorpus").is_none());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DataSet {
    name: String,
    /// Empty, or with a slash at its end.
    folder: String,
    /// Branch, tag or commit; `None`: `main`.
    pub revision: Option<String>,
    /// The hub's cache; `None`: that of `huggingface_hub`.
    pub cache_folder: Option<PathBuf>,
    /// For data that the hub gives to some only; `None`: `HF_TOKEN`, or that of
    /// `huggingface_hub`.
    pub token: Option<HubToken>,
}

/// A data set in the cache.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DataSetFiles {
    /// Where its files are, under their names.
    pub folder: PathBuf,
    /// The commit that they are of.
    pub revision: String,
    /// The names of those that the hub has and that were not asked for.
    pub left_out: Vec<String>,
}

impl DataSet {
    /// `owner/name` or `owner/name/folder`. `None`: it may be a path, but no data set of the hub.
    pub fn parse(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.splitn(3, '/').collect();
        let [owner, rest, folder @ ..] = &parts[..] else { return None };
        let name = format!("{owner}/{rest}");
        let folder = folder.first().map_or(String::new(), |folder| format!("{folder}/"));
        let is_folder = folder.is_empty() || is_plain_path(folder.trim_end_matches('/'));
        let (revision, cache_folder, token) = (None, None, None);
        let parsed = Self { name, folder, revision, cache_folder, token };
        (is_hub_id(&parsed.name) && is_folder).then_some(parsed)
    }

    /// Looks on the hub, and downloads the files of which `is_read` says so by their names. If the
    /// hub can't be asked, the files are those in the cache, which is logged.
    ///
    /// # Errors
    /// If they are neither in the cache nor can be downloaded.
    pub fn locate(&self, is_read: fn(&str) -> bool, hooks: &Hooks) -> Result<DataSetFiles, Error> {
        let (revision, cache) =
            (parsed(self.revision.as_deref())?, cache_or_usual(self.cache_folder.as_deref())?);
        let repo = Repo::new(&cache, RepoType::DataSet, &self.name);
        let cached = repo.commit_of(&revision).map(|commit| DataSetFiles {
            folder: repo.snapshot(&commit).join(&self.folder),
            revision: commit.as_str().to_owned(),
            left_out: vec![],
        });
        let cached = cached.filter(|files| files.folder.is_dir());
        if is_offline() {
            return cached.ok_or_else(|| Error::Offline { model: self.to_string(), cache });
        }
        let attempts = if cached.is_some() { 1 } else { ATTEMPTS };
        let hub = self.hub((repo.clone(), attempts), hooks)?;
        let wanted = Wanted { below: self.folder.clone(), is_read };
        match (unless_cancelled(hooks, move || hub.download_data_set(&revision, &wanted)), cached) {
            (Ok(listed), _) => {
                let folder = repo.snapshot(&listed.commit).join(&self.folder);
                let revision = listed.commit.as_str().to_owned();
                Ok(DataSetFiles { folder, revision, left_out: listed.left_out })
            }
            (Err(error @ Error::Download { .. }), Some(cached)) => {
                tracing::warn!("`{self}` is taken as it is in the cache: {error}");
                Ok(cached)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn hub(&self, (repo, attempts): (Repo, u32), hooks: &Hooks) -> Result<Hub, Error> {
        let client = client(&self.name, self.token.as_ref(), None)?;
        let (model, hooks) = (self.name.clone(), hooks.clone());
        Ok(Hub { model, repo_type: RepoType::DataSet, client, repo, hooks, attempts })
    }
}

impl fmt::Display for DataSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.folder.strip_suffix('/') {
            Some(folder) => write!(f, "{}/{folder}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
