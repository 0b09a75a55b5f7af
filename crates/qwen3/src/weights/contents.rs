//! What files hold, before each tensor has found its name in the network.

use super::{ATTACHMENT, Entry, Weights};
use crate::error::Error;
use crate::names::{EMBEDDING_TABLE, before, is_adapter, is_buffer, unwrapped, without_prefix};
use crate::tensor_file::{Bytes, TensorFile};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Files and the tensors in them, in the order of files and keys.
#[derive(Default)]
pub(super) struct Contents {
    files: Vec<Bytes>,
    paths: Vec<PathBuf>,
    entries: Vec<Entry>,
}

impl Contents {
    /// # Errors
    /// If a tensor is a part of an adapter.
    pub fn add(&mut self, file: &TensorFile) -> Result<(), Error> {
        for (key, info) in BTreeMap::from_iter(file.header.tensors()) {
            if key.starts_with(ATTACHMENT) || is_buffer(&key) {
                continue;
            }
            if is_adapter(&key) {
                return Err(Error::AdapterTensor { name: key });
            }
            self.entries.push(Entry {
                key,
                file: self.files.len(),
                dtype: info.dtype,
                shape: info.shape.clone(),
                bytes: file.bytes_of(info),
            });
        }
        self.files.push(file.bytes.clone());
        self.paths.push(file.path.clone());
        Ok(())
    }

    /// # Errors
    /// If a tensor is in another file than the index says.
    pub fn check_index(&self, weight_map: &BTreeMap<String, String>) -> Result<(), Error> {
        for entry in &self.entries {
            let found = self.paths[entry.file].file_name().unwrap_or_default().to_string_lossy();
            match weight_map.get(&entry.key) {
                Some(expected) if *expected != found => {
                    let (name, expected) = (entry.key.clone(), expected.clone());
                    return Err(Error::TensorElsewhere { name, expected, found: found.into() });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// # Errors
    /// If two tensors stand for the same one of the network.
    pub fn weights(self) -> Result<Weights, Error> {
        let prefix = self.prefix()?;
        let mut tensors: BTreeMap<String, Entry> = BTreeMap::new();
        for entry in self.entries {
            let key = unwrapped(&entry.key);
            let name = without_prefix(&key, &prefix);
            if let Some(first) = tensors.get(name) {
                return Err(twice(name, first, &entry, &self.paths));
            }
            tensors.insert(name.to_owned(), entry);
        }
        // What stands behind another prefix has found no name of the network's.
        for (name, entry) in &tensors {
            let mut tails = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
            if let Some(tail) = tails.find(|tail| tensors.contains_key(*tail)) {
                return Err(twice(tail, &tensors[tail], entry, &self.paths));
            }
        }
        Ok(Weights { files: self.files, tensors, prefix })
    }

    /// What stands before the embedding table, and so before all of the network.
    fn prefix(&self) -> Result<String, Error> {
        let mut found: Option<(String, &Entry)> = None;
        for entry in &self.entries {
            let key = unwrapped(&entry.key);
            let Some(prefix) = before(&key, EMBEDDING_TABLE) else { continue };
            if let Some((_, first)) = found {
                return Err(twice(EMBEDDING_TABLE, first, entry, &self.paths));
            }
            found = Some((prefix.to_owned(), entry));
        }
        Ok(found.map_or(String::new(), |(prefix, _)| prefix))
    }
}

fn twice(name: &str, first: &Entry, second: &Entry, paths: &[PathBuf]) -> Error {
    let place = |entry: &Entry| (entry.key.clone(), paths[entry.file].clone());
    Error::TensorTwice { name: name.to_owned(), first: place(first), second: place(second) }
}
