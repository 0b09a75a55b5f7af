//! `model.safetensors.index.json`: which file has which tensor.

use crate::error::Error;
use crate::files;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

/// The files that a `model.safetensors.index.json` names, each once.
///
/// # Errors
/// If it can't be read, is no index, or names a file outside of its folder.
pub fn files_of_index(index: &Path) -> Result<BTreeSet<String>, Error> {
    Ok(weight_map(index)?.into_values().collect())
}

/// The file of each tensor.
pub(crate) fn weight_map(index: &Path) -> Result<BTreeMap<String, String>, Error> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let Index { weight_map } = serde_json::from_slice(&files::read(index)?)
        .map_err(|error| Error::IndexSyntax { path: index.to_owned(), source: error.into() })?;
    for file in weight_map.values() {
        let part = Path::new(file).components().next();
        // All of it, so that no separator is left over.
        let is_plain = matches!(part, Some(Component::Normal(name)) if name == file.as_str());
        if !is_plain {
            return Err(Error::IndexPath { path: index.to_owned(), file: file.clone() });
        }
    }
    Ok(weight_map)
}
