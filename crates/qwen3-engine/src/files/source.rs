//! Where a model is, as users say it.

use super::folder::{CONFIG, INDEX, SIDE_FILES, SINGLE, gguf_instead, refuse_adapter};
use super::gguf::is_gguf;
use super::hub::{HubModel, HubName, HubToken};
use super::mini;
use super::portable;
use crate::choices::Kind;
use crate::error::Error;
use crate::progress::Hooks;
use qwen3::files;
use qwen3::index::files_of_index;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a model is, and what it is if that is known better than its files tell.
///
/// A `&str` or `String` is the name `mini`, a path where something lies, or else an id on
/// the hub, with a GGUF file's quantisation or name after a colon if it is one that is
/// meant; a `Path` is always a path:
///
/// ```
/// # use qwen3_engine::{Kind, Source};
/// # use std::path::Path;
/// let from_the_hub = Source::new("Qwen/Qwen3-Embedding-0.6B").revision("main");
/// let one_of_its_files = Source::new("Qwen/Qwen3-Embedding-0.6B-GGUF:Q8_0");
/// let inside_the_program = Source::new("mini");
/// let a_folder = Source::from(Path::new("models/my-reranker")).kind(Kind::Reranker);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Source {
    place: Place,
    /// Branch, tag or commit on the hub; `None`: `main`.
    pub revision: Option<String>,
    /// The hub's cache; `None`: that of `huggingface_hub`
    /// (`HF_HUB_CACHE`, `HF_HOME/hub`, or `~/.cache/huggingface/hub`).
    pub cache_folder: Option<PathBuf>,
    /// For models that the hub gives to some only; `None`: `HF_TOKEN`, or that
    /// of `huggingface_hub`.
    pub token: Option<HubToken>,
    /// The hub's address; `None`: `HF_ENDPOINT`, or `https://huggingface.co`.
    pub endpoint: Option<String>,
    /// What the checkpoint is; `None`: its files tell.
    pub kind: Option<Kind>,
}

#[derive(Clone, Debug)]
enum Place {
    /// A path, or a model on the hub.
    Named(String),
    Path(PathBuf),
    /// Inside the program.
    Mini,
}

/// Where a source turns out to be.
enum Found<'s> {
    Here(PathBuf),
    OnTheHub(HubModel<'s>),
}

impl Source {
    /// A hub id (`Qwen/Qwen3-Embedding-0.6B`, or `owner/name:Q8_0` and
    /// `owner/name:file.gguf` for a GGUF file), a folder, the path of a file in it, a GGUF
    /// file, a file that [`crate::convert()`] wrote, or `mini`: the small model inside the
    /// program. A folder of that name is `./mini`.
    pub fn new(model: impl Into<Self>) -> Self {
        model.into()
    }

    /// The model at this branch, tag or commit of the hub.
    #[must_use]
    pub fn revision(mut self, revision: impl Into<String>) -> Self {
        self.revision = Some(revision.into());
        self
    }

    /// The model in this cache of the hub.
    #[must_use]
    pub fn cache_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache_folder = Some(folder.into());
        self
    }

    /// The model, asked for with this token of the hub.
    #[must_use]
    pub fn token(mut self, token: HubToken) -> Self {
        self.token = Some(token);
        self
    }

    /// The model from the hub at this address, or from its mirror.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The model as one of this kind, whatever its files tell.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Where the model's files are: a folder, a portable file, a GGUF file, or a snapshot
    /// or GGUF file in the hub's cache, which is downloaded into as needed.
    ///
    /// # Errors
    /// If there is no such model, it is inside the program, or it can't be downloaded.
    pub fn locate(&self, hooks: &Hooks) -> Result<PathBuf, Error> {
        match self.found()? {
            Found::Here(path) => Ok(path),
            Found::OnTheHub(model) => model.locate(hooks),
        }
    }

    /// As [`Source::locate`], but without a request: `None` if the model would have to be
    /// downloaded. A program can so say what a click costs before it is made.
    ///
    /// # Errors
    /// If there can be no such model, or it is inside the program.
    pub fn cached(&self) -> Result<Option<PathBuf>, Error> {
        match self.found()? {
            Found::Here(path) => Ok(Some(path)),
            Found::OnTheHub(model) => model.cached(),
        }
    }

    fn found(&self) -> Result<Found<'_>, Error> {
        if self.is_mini()? {
            return Err(Error::NoFiles { model: self.to_string() });
        }
        let path = self.path();
        if path.is_dir() {
            return model_folder(path).map(Found::Here);
        }
        if path.is_file() {
            return folder_of(path).map(Found::Here);
        }
        if path.exists() {
            // A pipe or a device, which is said.
            files::check_regular(path)?;
        }
        let name = match &self.place {
            Place::Named(name) => HubName::parse(name),
            _ => None,
        };
        let name = name.ok_or_else(|| Error::NoSuchModel { model: self.to_string() })?;
        if name.file.is_none()
            && [".gguf", ".safetensors"].iter().any(|end| name.model.ends_with(end))
        {
            return Err(Error::NoSuchFile { file: path.to_owned() });
        }
        let (revision, cache) = (self.revision.as_deref(), self.cache_folder.as_deref());
        let (token, endpoint) = (self.token.as_ref(), self.endpoint.as_deref());
        Ok(Found::OnTheHub(HubModel { name, revision, cache, token, endpoint }))
    }

    /// Whether the model is inside the program.
    ///
    /// # Errors
    /// If it is, and there is none in this build, or a revision of it is asked for.
    pub(super) fn is_mini(&self) -> Result<bool, Error> {
        match (&self.place, &self.revision) {
            (Place::Mini, _) if mini::MINI.is_none() => Err(Error::NoMini),
            (Place::Mini, Some(revision)) => {
                Err(Error::MiniRevision { revision: revision.clone() })
            }
            (place, _) => Ok(matches!(place, Place::Mini)),
        }
    }

    /// What was named, read as a path.
    pub(super) fn path(&self) -> &Path {
        match &self.place {
            Place::Named(name) => Path::new(name),
            Place::Path(path) => path,
            Place::Mini => Path::new(mini::NAME),
        }
    }
}

/// The folder itself, if it is a model's.
fn model_folder(folder: &Path) -> Result<PathBuf, Error> {
    refuse_adapter(folder)?;
    if folder.join(CONFIG).exists() {
        return Ok(folder.to_owned());
    }
    Err(gguf_instead(folder).unwrap_or_else(|| Error::NotAModel { folder: folder.to_owned() }))
}

/// The file itself if it is a whole model, else the folder that it is in.
fn folder_of(file: &Path) -> Result<PathBuf, Error> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let shards = || files_of_index(&folder.join(INDEX)).unwrap_or_default();
    let is_of_folder = |name: &str| {
        [SINGLE, INDEX].contains(&name) || SIDE_FILES.contains(&name) || shards().contains(name)
    };
    if is_gguf(file) || portable::is_portable(file) {
        Ok(file.to_owned())
    } else if is_of_folder(&name) && folder.join(CONFIG).exists() {
        Ok(folder.to_owned())
    } else {
        files::check_head(file)?;
        Err(Error::NotAModelFile { file: file.to_owned() })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().display().fmt(f)
    }
}

impl From<Place> for Source {
    fn from(place: Place) -> Self {
        let (revision, cache_folder, token) = (None, None, None);
        Self { place, revision, cache_folder, token, endpoint: None, kind: None }
    }
}

impl From<&Source> for Source {
    fn from(source: &Source) -> Self {
        source.clone()
    }
}

impl From<String> for Source {
    fn from(model: String) -> Self {
        let is_mini = model == mini::NAME;
        if is_mini { Place::Mini.into() } else { Place::Named(model).into() }
    }
}

impl From<&str> for Source {
    fn from(model: &str) -> Self {
        model.to_owned().into()
    }
}

impl From<&String> for Source {
    fn from(model: &String) -> Self {
        model.clone().into()
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Place::Path(path).into()
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        path.to_owned().into()
    }
}

impl From<&PathBuf> for Source {
    fn from(path: &PathBuf) -> Self {
        path.clone().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::folder::NEEDED;
    use std::fs;

    #[test]
    fn what_is_in_the_cache_is_known_without_a_request() {
        let cache = tempfile::tempdir().unwrap();
        let source = Source::new("some/model").cache_folder(cache.path());
        assert_eq!(source.cached().unwrap(), None);
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let repo = cache.path().join("models--some--model");
        let snapshot = repo.join("snapshots").join(commit);
        fs::create_dir_all(repo.join("refs")).unwrap();
        fs::create_dir_all(&snapshot).unwrap();
        fs::write(repo.join("refs/main"), commit).unwrap();
        for file in NEEDED {
            fs::write(snapshot.join(file), "{}").unwrap();
        }
        // Not without its weights.
        assert_eq!(source.cached().unwrap(), None);
        fs::write(snapshot.join(SINGLE), "weights").unwrap();
        assert_eq!(source.cached().unwrap(), Some(snapshot.clone()));
        fs::write(snapshot.join("model-Q8_0.gguf"), "weights").unwrap();
        let gguf = Source::new("some/model:Q8_0").cache_folder(cache.path());
        assert_eq!(gguf.cached().unwrap(), Some(snapshot.join("model-Q8_0.gguf")));
        let no_model = Source::new("no model").cached();
        assert!(matches!(no_model, Err(Error::NoSuchModel { .. })));
    }
}
