//! The tensors of safetensors files by the network's names for them.

mod contents;
mod faults;
mod numbers;

use crate::error::Error;
use crate::index::weight_map;
use crate::names::{EMBEDDING_TABLE, before};
use crate::tensor_file::{Bytes, TensorFile};
use contents::Contents;
pub use contents::stated;
use qwen3_dtypes::{Dtype, Layout};
use qwen3_gguf::{Description, GgufFile};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

/// Under which name the metadata of a safetensors file says which tensors are blocks: a
/// JSON object of their keys and [`how they are stored`](stated). Such a tensor is stored as
/// rows of bytes.
pub const BLOCKS: &str = "blocks";

/// How the names begin of tensors that are other files or checksums.
pub const ATTACHMENT: &str = "qwen3.";

/// The tensors of a checkpoint, by the network's names for them: without what
/// its files put in front of all of them, such as `model.`.
#[derive(Debug)]
pub struct Weights {
    files: Vec<Bytes>,
    tensors: BTreeMap<String, Entry>,
    prefix: String,
}

/// A tensor as it is in the file.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    /// The network's name for it.
    pub name: &'a str,
    /// Its name in the file.
    pub key: &'a str,
    /// Its shape.
    pub shape: &'a [usize],
    /// How its numbers are stored.
    pub dtype: Dtype,
    /// In which order its blocks are.
    pub layout: Layout,
}

#[derive(Debug)]
struct Entry {
    /// Its name in the file; in a GGUF file, the checkpoint's name for it.
    key: String,
    /// Its name in a GGUF file.
    ggml_name: Option<String>,
    file: usize,
    /// `Err`: the name of one that isn't read.
    dtype: Result<(Dtype, Layout), String>,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

impl Weights {
    /// `model.safetensors`, or the shards of `model.safetensors.index.json`, in `folder`.
    ///
    /// # Errors
    /// If there is neither, or a file can't be read, is cut short, contradicts
    /// itself, the index or another one, or lies outside of the folder.
    pub fn from_folder(folder: &Path) -> Result<Self, Error> {
        let single = folder.join("model.safetensors");
        let index = folder.join("model.safetensors.index.json");
        let mut contents = Contents::default();
        if single.exists() {
            contents.add(&TensorFile::open(&single)?)?;
        } else if index.exists() {
            let weight_map = weight_map(&index)?;
            for file in BTreeSet::from_iter(weight_map.values()) {
                contents.add(&TensorFile::open(&folder.join(file))?)?;
            }
            contents.check_index(&weight_map)?;
        } else {
            return Err(Error::NoWeights { folder: folder.to_owned() });
        }
        contents.weights()
    }

    /// The tensors of one file. Those whose name begins with [`ATTACHMENT`]
    /// are no weights, and passed over.
    ///
    /// # Errors
    /// If two tensors stand for the same one of the network, or one is an adapter's.
    pub fn from_file(file: &TensorFile) -> Result<Self, Error> {
        let mut contents = Contents::default();
        contents.add(file)?;
        contents.weights()
    }

    /// The tensors of a GGUF file, which have the checkpoint's names here.
    ///
    /// # Errors
    /// If one is misshapen, twice there or no part of the network.
    pub fn from_gguf(file: &GgufFile, model: &Description) -> Result<Self, Error> {
        let mut contents = Contents::default();
        contents.add_gguf(file, model)?;
        contents.weights()
    }

    /// Whether a tensor of this name (without `model.`) is in the checkpoint.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// What the tensors are, by name.
    ///
    /// # Errors
    /// If one is stored as none of [`Dtype`].
    pub fn tensors(&self) -> Result<Vec<Stored<'_>>, Error> {
        self.tensors.iter().map(|(name, entry)| entry.stored(name)).collect()
    }

    /// What the tensor of this name is.
    ///
    /// # Errors
    /// If there is none, or it is stored as none of [`Dtype`].
    pub fn stored(&self, name: &str) -> Result<Stored<'_>, Error> {
        let (name, entry) = self.tensors.get_key_value(name).ok_or_else(|| self.missing(name))?;
        entry.stored(name)
    }

    /// Whether the network is the `model` of something with a head, by the checkpoint's own names.
    pub fn has_model_prefix(&self) -> bool {
        before(&self.prefix, "model.").is_some()
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Numbers in all tensors together.
    pub fn parameters(&self) -> u64 {
        self.tensors.values().map(|entry| entry.numbers() as u64).sum()
    }

    /// How a tensor of this name is stored.
    ///
    /// # Errors
    /// If there is none, or it is in none of [`Dtype`].
    pub fn dtype_of(&self, name: &str) -> Result<Dtype, Error> {
        Ok(self.stored(name)?.dtype)
    }

    /// Bytes of all tensors together.
    pub fn bytes(&self) -> u64 {
        self.tensors.values().map(|entry| entry.bytes.len() as u64).sum()
    }

    /// How most of the numbers are stored.
    ///
    /// # Errors
    /// If it is none of [`Dtype`].
    pub fn dtype(&self) -> Result<Dtype, Error> {
        let mut counts: BTreeMap<&str, (usize, Dtype)> = BTreeMap::new();
        for (name, entry) in &self.tensors {
            let dtype = entry.dtype(name)?;
            counts.entry(dtype.name()).or_insert((0, dtype)).0 += entry.numbers();
        }
        let most = counts.into_values().max_by_key(|(numbers, _)| *numbers);
        most.map(|(_, dtype)| dtype).ok_or_else(|| self.missing(EMBEDDING_TABLE))
    }
}

impl Entry {
    fn dtype(&self, name: &str) -> Result<Dtype, Error> {
        let unread =
            |dtype: &String| Error::TensorDtype { name: name.to_owned(), dtype: dtype.clone() };
        self.dtype.as_ref().map(|(dtype, _)| *dtype).map_err(unread)
    }

    fn layout(&self) -> Layout {
        self.dtype.as_ref().map_or(Layout::Rows, |(_, layout)| *layout)
    }

    fn stored<'a>(&'a self, name: &'a str) -> Result<Stored<'a>, Error> {
        let (key, shape) = (self.key.as_str(), self.shape.as_slice());
        Ok(Stored { name, key, shape, dtype: self.dtype(name)?, layout: self.layout() })
    }

    fn numbers(&self) -> usize {
        self.shape.iter().product()
    }

    /// What its user knows it by, where the network calls it `name`.
    fn told<'a>(&'a self, name: &'a str) -> &'a str {
        self.ggml_name.as_deref().unwrap_or(name)
    }
}
