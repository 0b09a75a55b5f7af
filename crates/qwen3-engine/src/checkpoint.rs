//! A model's folder: its config, its weights, and what it is for.

use crate::error::Error;
use crate::options::Kind;
use qwen3::{Config, Weights};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// An opened folder; nothing is on a device yet.
#[derive(Debug)]
pub struct Checkpoint {
    /// The folder.
    pub folder: PathBuf,
    /// `config.json`
    pub config: Config,
    /// The weights, mapped into memory.
    pub weights: Weights,
    /// Detected, or as told.
    pub kind: Kind,
}

impl Checkpoint {
    /// Opens `folder`. `model` is what the user called it, `kind` what it is
    /// if the user knows better.
    ///
    /// # Errors
    /// If a file is missing or broken.
    pub fn open(folder: &Path, model: &str, kind: Option<Kind>) -> Result<Self, Error> {
        let config = Config::from_file(&folder.join("config.json"))?;
        let weights = Weights::from_folder(folder)?;
        let kind = match kind {
            Some(kind) => kind,
            None => detect(folder, model, &config, &weights)?,
        };
        Ok(Self { folder: folder.to_owned(), config, weights, kind })
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
    let modules: Option<Vec<Module>> = side_file(&folder.join("modules.json"))?;
    let listed = modules
        .is_some_and(|modules| modules.iter().any(|module| module.class.ends_with(".Pooling")));
    Ok(listed || folder.join("1_Pooling/config.json").exists())
}

/// Refuses a pooling that this engine does not compute.
pub(crate) fn check_pooling(folder: &Path) -> Result<(), Error> {
    #[derive(serde::Deserialize)]
    struct Pooling {
        pooling_mode_lasttoken: Option<bool>,
        pooling_mode: Option<String>,
    }
    let path = folder.join("1_Pooling/config.json");
    let Some(pooling) = side_file::<Pooling>(&path)? else { return Ok(()) };
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
pub(crate) fn max_seq_length(folder: &Path) -> Result<Option<usize>, Error> {
    #[derive(serde::Deserialize)]
    struct SentenceBert {
        max_seq_length: Option<usize>,
    }
    let config: Option<SentenceBert> = side_file(&folder.join("sentence_bert_config.json"))?;
    Ok(config.and_then(|config| config.max_seq_length))
}

/// A JSON file that need not be there.
fn side_file<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|source| Error::SideFile { path: path.to_owned(), source })
}
