//! A model's folder: the names of its files, and what must not lie there.

use super::hub::{is_part, is_projector};
use crate::choices::Kind;
use crate::error::Error;
use qwen3::index::files_of_index;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf, absolute};

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

/// What to say of a folder that is no model but has files which are, or parts of one.
pub fn gguf_instead(folder: &Path) -> Option<Error> {
    let is_model = |name: &str| name.to_lowercase().ends_with(".gguf") && !is_projector(name);
    let (parts, whole): (Vec<String>, Vec<String>) =
        all_called(folder, is_model).into_iter().partition(|name| is_part(name));
    match (&whole[..], &parts[..]) {
        ([], []) => None,
        ([], [part, ..]) => {
            Some(Error::GgufParts { model: folder.display().to_string(), file: part.clone() })
        }
        _ => {
            let path = |name: &String| folder.join(name).display().to_string();
            let files = whole.iter().map(path).collect();
            Some(Error::GgufInFolder { folder: folder.to_owned(), files })
        }
    }
}

/// The first file of a folder, by name, whose name is such.
fn first_called(folder: &Path, is_such: impl Fn(&str) -> bool) -> Option<PathBuf> {
    Some(folder.join(all_called(folder, is_such).first()?))
}

/// The files of a folder whose names are such, in the order of the alphabet.
fn all_called(folder: &Path, is_such: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| is_such(name)).collect();
    names.sort_unstable();
    names
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

/// With what the names begin of models' folders in the hub's cache.
const IN_CACHE: &str = "models--";

/// The name of a model's folder or file, wherever that lies, as its user gave it; that of a
/// snapshot in the hub's cache is the model's, `models--owner--name`. No link is followed: its
/// name says what the model is, and that of a digest behind it doesn't.
pub fn called(path: &Path) -> String {
    let full = in_full(path);
    let parts: Vec<String> = full.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    match &parts[..] {
        [.., model, within, _] if within == "snapshots" => model.clone(),
        [.., name] => name.clone(),
        [] => String::new(),
    }
}

/// A path from the root on, with the name that it ends with.
fn in_full(path: &Path) -> PathBuf {
    let full = match path.file_name() {
        Some(_) => absolute(path),
        // `.` and `..` are called something only in full.
        None => path.canonicalize(),
    };
    full.unwrap_or_else(|_| path.to_owned())
}

/// What a model's folder or file is called, and what it is in that may say what it is for: the
/// folder of a file, the model of the hub. The nearest comes first. The owner of a model says
/// nothing about it.
pub fn names(path: &Path) -> Vec<String> {
    let full = in_full(path);
    let mut names = vec![called(&full)];
    if let Some(folder) = full.parent().filter(|_| full.is_file()) {
        names.push(called(folder));
        names.extend(folder.ancestors().map(called).find(|name| name.starts_with(IN_CACHE)));
    }
    let without_owner = |name: String| match name.strip_prefix(IN_CACHE) {
        Some(id) => id.rsplit("--").next().unwrap_or(id).to_owned(),
        None => name,
    };
    names.into_iter().map(without_owner).collect()
}

/// What the first name that tells it says that a model is for.
pub fn kind_called(names: impl IntoIterator<Item = String>) -> Option<Kind> {
    names.into_iter().map(|name| name.to_lowercase()).find_map(|name| {
        match (name.contains("rerank"), name.contains("embed")) {
            (true, false) => Some(Kind::Reranker),
            (false, true) => Some(Kind::Embedding),
            _ => None,
        }
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Their names tell embedding models from rerankers, digests don't.
    #[test]
    fn links_are_called_as_they_are_and_what_is_in_the_cache_as_its_model_too() {
        let root = tempfile::tempdir().unwrap();
        let model = root.path().join("models--embed--Reranker-GGUF");
        let (blob, snapshot) = (model.join("blobs/0123"), model.join("snapshots/4567"));
        fs::create_dir_all(blob.parent().unwrap()).unwrap();
        fs::create_dir_all(snapshot.join("Q8_0")).unwrap();
        fs::write(&blob, "GGUF").unwrap();
        let [file, below, link] = [
            snapshot.join("x.gguf"),
            snapshot.join("Q8_0/x.gguf"),
            root.path().join("Embedding.gguf"),
        ];
        for file in [&file, &below, &link] {
            symlink(&blob, file).unwrap();
        }
        assert_eq!(called(&snapshot), "models--embed--Reranker-GGUF");
        assert_eq!(names(&snapshot), ["Reranker-GGUF"]);
        assert_eq!(names(&file)[..2], ["x.gguf", "Reranker-GGUF"]);
        assert_eq!(names(&below)[..3], ["x.gguf", "Q8_0", "Reranker-GGUF"]);
        for file in [file, below, blob] {
            assert_eq!(kind_called(names(&file)), Some(Kind::Reranker), "{}", file.display());
        }
        assert_eq!(names(&link)[0], "Embedding.gguf");
        assert_eq!(kind_called(names(&link)), Some(Kind::Embedding));
        // By another way, and through a folder that is a link.
        symlink(&snapshot, root.path().join("My-Embedding")).unwrap();
        let linked = root.path().join("My-Embedding");
        assert_eq!(called(&linked), "My-Embedding");
        assert_eq!(called(&snapshot.join("Q8_0/..")), "models--embed--Reranker-GGUF");
    }
}
