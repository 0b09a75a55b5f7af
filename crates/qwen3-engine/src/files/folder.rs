//! A model's folder: the names of its files, and what must not lie there.

use crate::error::Error;
use qwen3::index::files_of_index;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// The files beside the weights that are used. Without those of [`NEEDED`] nothing runs.
pub const SIDE_FILES: [&str; 8] = [
    CONFIG,
    "tokenizer.json",
    "1_Pooling/config.json",
    "config_sentence_transformers.json",
    "generation_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
];
pub const NEEDED: &[&str] = SIDE_FILES.split_at(2).0;
pub const CONFIG: &str = "config.json";
/// The weights, in one file or listed in an index.
pub const SINGLE: &str = "model.safetensors";
pub const INDEX: &str = "model.safetensors.index.json";
pub const WEIGHTS: [&str; 2] = [SINGLE, INDEX];

/// All files of a folder that a model may be read from, but for the configs of modules.
pub fn files_of(folder: &Path) -> Vec<PathBuf> {
    let shards = files_of_index(&folder.join(INDEX)).unwrap_or_default();
    let names = SIDE_FILES.into_iter().chain([SINGLE, INDEX]);
    names.chain(shards.iter().map(String::as_str)).map(|name| folder.join(name)).collect()
}

/// An adapter beside a model changes it in Transformers, so it can't be passed over.
pub fn refuse_adapter(folder: &Path) -> Result<(), Error> {
    match first_called(folder, is_of_adapter) {
        Some(file) => Err(Error::Adapter { file }),
        None => Ok(()),
    }
}

/// Weights as they are not read here.
pub fn other_weights(folder: &Path) -> Option<PathBuf> {
    first_called(folder, |name| name.starts_with("pytorch_model") || name.ends_with(".onnx"))
}

/// A file that is a model of its own.
pub fn gguf_of(folder: &Path) -> Option<PathBuf> {
    first_called(folder, |name| name.ends_with(".gguf"))
}

/// The first file of a folder, by name, whose name is such.
fn first_called(folder: &Path, is_such: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    let name = names.filter(|name| is_such(&name.to_string_lossy())).min()?;
    Some(folder.join(name))
}

/// Whether PEFT keeps an adapter in files of this name.
pub fn is_of_adapter(name: &str) -> bool {
    name.starts_with("adapter_config.") || name.starts_with("adapter_model")
}

/// JSON of a file beside the weights.
pub fn parse<T: DeserializeOwned>(json: &[u8], path: &Path) -> Result<T, Error> {
    serde_json::from_slice(json)
        .map_err(|error| Error::SideFile { path: path.to_owned(), source: error.into() })
}

/// The name of a model's folder or file, wherever that lies; that of a snapshot or a file
/// in the hub's cache is the model's, `models--owner--name`.
pub fn called(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    match &parts[..] {
        [.., model, within, _] if within == "snapshots" || within == "blobs" => model.clone(),
        [.., name] => name.clone(),
        [] => String::new(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Their names tell embedding models from rerankers, digests don't.
    #[test]
    fn what_is_in_the_cache_is_called_as_its_model() {
        let cache = tempfile::tempdir().unwrap();
        let model = cache.path().join("models--a--Reranker");
        let (blob, snapshot) = (model.join("blobs/0123"), model.join("snapshots/4567"));
        fs::create_dir_all(blob.parent().unwrap()).unwrap();
        fs::create_dir_all(&snapshot).unwrap();
        fs::write(&blob, "GGUF").unwrap();
        symlink("../../blobs/0123", snapshot.join("x.gguf")).unwrap();
        for path in [snapshot.join("x.gguf"), snapshot] {
            assert_eq!(called(&path), "models--a--Reranker", "{}", path.display());
        }
    }
}
