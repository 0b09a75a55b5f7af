//! A model's files: its config, its weights, and what it is for.

use crate::error::Error;
use crate::hub::{HubOptions, SIDE_FILES, model_path};
use crate::options::{Kind, Options};
use crate::portable::{Portable, Provenance, inside, is_portable};
use qwen3::weights::files_of_index;
use qwen3::{Config, Weights};
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// An opened folder or portable file; nothing is on a device yet.
#[derive(Debug)]
pub struct Checkpoint {
    /// The folder or file.
    pub path: PathBuf,
    /// `config.json`
    pub config: Config,
    /// The weights, mapped into memory.
    pub weights: Weights,
    /// Detected, or as told.
    pub kind: Kind,
    portable: Option<Portable>,
}

impl Checkpoint {
    /// Finds and opens what the options of a model say.
    pub(crate) fn find(model: &str, options: &Options) -> Result<Self, Error> {
        let from = HubOptions {
            revision: options.revision.as_deref(),
            cache: options.cache_folder.as_deref(),
            token: options.token.as_ref(),
        };
        Self::open(&model_path(model, from, &options.hooks)?, model, options.kind)
    }

    /// Opens a folder or portable file. `model` is what the user called it,
    /// `kind` what it is if the user knows better.
    ///
    /// # Errors
    /// If a file is missing or broken.
    pub fn open(path: &Path, model: &str, kind: Option<Kind>) -> Result<Self, Error> {
        if is_portable(path) {
            return Self::open_portable(path, kind);
        }
        let config = Config::from_file(&path.join("config.json"))?;
        let weights = Weights::from_folder(path)?;
        let kind = match kind {
            Some(kind) => kind,
            None => detect(path, model, &config, &weights)?,
        };
        Ok(Self { path: path.to_owned(), config, weights, kind, portable: None })
    }

    fn open_portable(path: &Path, kind: Option<Kind>) -> Result<Self, Error> {
        let portable = Portable::open(path)?;
        let weights = Weights::from_map(portable.map.clone(), path)?;
        let name = "config.json";
        let config = portable.file(name).ok_or_else(|| missing(path, name))?;
        let config = Config::from_json(&String::from_utf8_lossy(config), &inside(path, name))?;
        let kind = kind.unwrap_or(portable.provenance.kind);
        Ok(Self { path: path.to_owned(), config, weights, kind, portable: Some(portable) })
    }

    /// What a portable file says about itself; `None`: it is a folder.
    pub fn provenance(&self) -> Option<&Provenance> {
        self.portable.as_ref().map(|portable| &portable.provenance)
    }

    /// The files that the model consists of, by their names in its folder: the
    /// portable file alone, or the weights and those beside them that are used.
    ///
    /// # Errors
    /// If the index of the weights can't be read.
    pub fn source_files(&self) -> Result<Vec<(String, PathBuf)>, Error> {
        if self.portable.is_some() {
            let name = self.path.file_name().unwrap_or_default().to_string_lossy();
            return Ok(vec![(name.into_owned(), self.path.clone())]);
        }
        let index = "model.safetensors.index.json";
        let mut names: Vec<String> = SIDE_FILES.map(str::to_owned).to_vec();
        names.push("model.safetensors".to_owned());
        if !self.path_of("model.safetensors").exists() {
            names.push(index.to_owned());
            names.extend(files_of_index(&self.path_of(index))?);
        }
        let files = names.into_iter().map(|name| (self.path_of(&name), name));
        Ok(files.filter(|(path, _)| path.exists()).map(|(path, name)| (name, path)).collect())
    }

    /// Where a file of this name is, or would be; for messages.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        inside(&self.path, name)
    }

    /// A file beside the weights, or in them.
    pub(crate) fn file(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, Error> {
        match &self.portable {
            Some(portable) => Ok(portable.file(name).map(Cow::Borrowed)),
            None => read(&self.path_of(name)),
        }
    }

    /// The same of a file without which nothing runs.
    pub(crate) fn needed(&self, name: &str) -> Result<Cow<'_, [u8]>, Error> {
        self.file(name)?.ok_or_else(|| missing(&self.path, name))
    }

    /// Refuses a pooling that this engine does not compute.
    pub(crate) fn check_pooling(&self) -> Result<(), Error> {
        #[derive(serde::Deserialize)]
        struct Pooling {
            pooling_mode_lasttoken: Option<bool>,
            pooling_mode: Option<String>,
        }
        let name = "1_Pooling/config.json";
        let Some(pooling) = self.side_file::<Pooling>(name)? else { return Ok(()) };
        let unsupported = |key: &str, value: String| {
            Err(Error::Model(qwen3::Error::Unsupported { key: key.to_owned(), value }))
        };
        match (pooling.pooling_mode_lasttoken, pooling.pooling_mode) {
            (Some(false), _) => unsupported("pooling_mode_lasttoken", "false".to_owned()),
            (_, Some(mode)) if mode != "lasttoken" => unsupported("pooling_mode", mode),
            _ => Ok(()),
        }
    }

    /// `max_seq_length` of sentence-transformers, where it is set.
    pub(crate) fn max_seq_length(&self) -> Result<Option<usize>, Error> {
        #[derive(serde::Deserialize)]
        struct SentenceBert {
            max_seq_length: Option<usize>,
        }
        let config: Option<SentenceBert> = self.side_file("sentence_bert_config.json")?;
        Ok(config.and_then(|config| config.max_seq_length))
    }

    /// What the first output of a classifier is called in its config.
    pub(crate) fn first_label(&self) -> Result<String, Error> {
        #[derive(serde::Deserialize)]
        struct Labels {
            #[serde(default)]
            id2label: std::collections::BTreeMap<String, String>,
        }
        let labels: Option<Labels> = self.side_file("config.json")?;
        let first = labels.and_then(|labels| labels.id2label.get("0").cloned());
        // What Transformers calls one without a name.
        Ok(first.unwrap_or_else(|| "LABEL_0".to_owned()))
    }

    fn side_file<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.file(name)?.map(|json| parse(&json, &self.path_of(name))).transpose()
    }
}

/// config.json is the same for embedding models and rerankers, so: what the
/// heads say, then sentence-transformers' modules, then the name, then how the
/// tensors are named.
fn detect(folder: &Path, model: &str, config: &Config, weights: &Weights) -> Result<Kind, Error> {
    let is_classifier = |name: &String| name.ends_with("ForSequenceClassification");
    if weights.contains("score.weight") || config.architectures.iter().any(is_classifier) {
        return Ok(Kind::SequenceClassification);
    }
    if has_pooling(folder)? {
        return Ok(Kind::Embedding);
    }
    if weights.contains("lm_head.weight") {
        return Ok(Kind::Reranker);
    }
    // The folder of a snapshot is named for a commit, its parents for the model.
    let names = format!("{model} {}", folder.display()).to_lowercase();
    Ok(match (names.contains("rerank"), names.contains("embed")) {
        (true, false) => Kind::Reranker,
        (false, true) => Kind::Embedding,
        _ if weights.has_model_prefix() => Kind::Reranker,
        _ => Kind::Embedding,
    })
}

/// Whether sentence-transformers would pool: rerankers have a modules.json too,
/// by now, but without such a module.
fn has_pooling(folder: &Path) -> Result<bool, Error> {
    #[derive(serde::Deserialize)]
    struct Module {
        #[serde(rename = "type")]
        class: String,
    }
    let path = folder.join("modules.json");
    let modules: Option<Vec<Module>> = read(&path)?.map(|json| parse(&json, &path)).transpose()?;
    let listed = modules
        .is_some_and(|modules| modules.iter().any(|module| module.class.ends_with(".Pooling")));
    Ok(listed || folder.join("1_Pooling/config.json").exists())
}

/// A file that need not be there.
fn read(path: &Path) -> Result<Option<Cow<'static, [u8]>>, Error> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(Cow::Owned(content))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
    }
}

fn parse<T: DeserializeOwned>(json: &[u8], path: &Path) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|source| Error::SideFile { path: path.to_owned(), source })
}

fn missing(path: &Path, name: &str) -> Error {
    let source = std::io::ErrorKind::NotFound.into();
    Error::Read { path: inside(path, name), source }
}
