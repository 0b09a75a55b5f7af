//! What files hold, before each tensor has found its name in the network.

use super::{ATTACHMENT, BLOCKS, Entry, Weights};
use crate::error::Error;
use crate::names::{EMBEDDING_TABLE, before, is_adapter, is_buffer, unwrapped, without_prefix};
use crate::tensor_file::{Bytes, TensorFile};
use qwen3_dtypes::Dtype;
use qwen3_gguf::{Description, GgufFile};
use safetensors::tensor::TensorInfo;
use std::collections::{BTreeMap, HashMap};
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
        let blocks = blocks(file)?;
        for (key, info) in BTreeMap::from_iter(file.header.tensors()) {
            if key.starts_with(ATTACHMENT) || is_buffer(&key) {
                continue;
            }
            if is_adapter(&key) {
                return Err(Error::AdapterTensor { name: key });
            }
            let (dtype, shape) = match blocks.get(&key) {
                Some(name) => in_blocks(name, info),
                None => (of_numbers(info.dtype), info.shape.clone()),
            };
            let (file_index, bytes) = (self.files.len(), file.bytes_of(info));
            let entry = Entry { key, ggml_name: None, file: file_index, dtype, shape, bytes };
            self.entries.push(entry);
        }
        self.files.push(file.bytes.clone());
        self.paths.push(file.path.clone());
        Ok(())
    }

    /// # Errors
    /// If a tensor is no part of the network, or two are the same one.
    pub fn add_gguf(&mut self, file: &GgufFile, model: &Description) -> Result<(), Error> {
        for (key, tensor) in qwen3_gguf::weights(file, model)? {
            let (dtype, shape, bytes) = (Ok(tensor.dtype), tensor.shape, tensor.bytes);
            let (ggml_name, file) = (Some(tensor.name), self.files.len());
            self.entries.push(Entry { key, ggml_name, file, dtype, shape, bytes });
        }
        self.files.push(Bytes::Gguf(file.clone()));
        self.paths.push(file.path().to_owned());
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

/// Which tensors of a file are blocks, and of which dtype.
///
/// # Errors
/// If what the file says of it can't be read.
fn blocks(file: &TensorFile) -> Result<HashMap<String, String>, Error> {
    let stated = file.metadata().and_then(|metadata| metadata.get(BLOCKS));
    let Some(json) = stated else { return Ok(HashMap::new()) };
    let unreadable = |source: serde_json::Error| Error::Safetensors {
        path: file.path.clone(),
        source: format!("`{BLOCKS}` of its metadata: {source}").into(),
    };
    serde_json::from_str(json).map_err(unreadable)
}

/// Dtype and shape of blocks that are stored as rows of bytes.
fn in_blocks(name: &str, info: &TensorInfo) -> (Result<Dtype, String>, Vec<usize>) {
    let known = Dtype::named(name).filter(|dtype| dtype.is_blocks());
    let (Some(dtype), [rows, bytes]) = (known, &info.shape[..]) else {
        return (Err(name.to_owned()), info.shape.clone());
    };
    let blocks = bytes / dtype.block_bytes();
    match info.dtype == safetensors::Dtype::U8 && blocks * dtype.block_bytes() == *bytes {
        true => (Ok(dtype), vec![*rows, blocks * dtype.block_len()]),
        false => (Err(format!("{name} in rows of {bytes} bytes")), info.shape.clone()),
    }
}

fn of_numbers(dtype: safetensors::Dtype) -> Result<Dtype, String> {
    match dtype {
        safetensors::Dtype::F32 => Ok(Dtype::F32),
        safetensors::Dtype::F16 => Ok(Dtype::F16),
        safetensors::Dtype::BF16 => Ok(Dtype::Bf16),
        other => Err(format!("{other:?}")),
    }
}

fn twice(name: &str, first: &Entry, second: &Entry, paths: &[PathBuf]) -> Error {
    let place = |entry: &Entry| (entry.key.clone(), paths[entry.file].clone());
    Error::TensorTwice { name: name.to_owned(), first: place(first), second: place(second) }
}
