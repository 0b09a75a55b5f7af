//! What is wrong with tensors, in the words of the file that they are in: a GGUF file has
//! names of its own for them.

use super::{Entry, Weights};
use crate::error::Error;
use crate::names::is_wrapped;
use crate::tensor_file::Bytes;
use qwen3_gguf::{Error as GgufError, GgufFile, ggml_name};
use std::collections::BTreeSet;

/// As many blocks are widened at one time.
const BLOCKS_AT_ONCE: usize = 1 << 14;

impl Weights {
    /// # Errors
    /// If there is a tensor other than those.
    pub fn all_in(&self, known: &BTreeSet<String>) -> Result<(), Error> {
        let mut unknown = self.tensors.iter().filter(|(name, _)| !known.contains(*name));
        let Some((name, first)) = unknown.next() else { return Ok(()) };
        Err(match self.gguf() {
            Some(file) => {
                let (path, name) = (file.path().to_owned(), first.told(name).to_owned());
                GgufError::UnknownTensor { path, name }.into()
            }
            None => Error::UnusedTensors { name: first.key.clone(), count: 1 + unknown.count() },
        })
    }

    /// Looks at every number of a tensor.
    ///
    /// # Errors
    /// If there is no such tensor, it is stored as none of [`qwen3_dtypes::Dtype`], or one of
    /// its numbers is NaN or infinity.
    pub fn check_finite(&self, name: &str) -> Result<(), Error> {
        let entry = self.tensors.get(name).ok_or_else(|| self.missing(name))?;
        let dtype = entry.dtype(name)?;
        let file = &self.files[entry.file];
        let stored = self.in_rows(name, entry)?;
        let mut numbers = vec![0.0; BLOCKS_AT_ONCE * dtype.block_len()];
        for blocks in stored.chunks(BLOCKS_AT_ONCE * dtype.block_bytes()) {
            let n_blocks = blocks.len() / dtype.block_bytes();
            let numbers = &mut numbers[..n_blocks * dtype.block_len()];
            dtype.widen(blocks, numbers);
            if !numbers.iter().all(|x| x.is_finite()) {
                return Err(self.not_finite(name));
            }
        }
        file.release(entry.bytes.clone());
        Ok(())
    }

    pub(super) fn entry(&self, name: &str, shape: &[usize]) -> Result<&Entry, Error> {
        let entry = self.tensors.get(name).ok_or_else(|| self.missing(name))?;
        if entry.shape == shape {
            return Ok(entry);
        }
        let found = entry.shape.clone();
        Err(match self.gguf() {
            Some(file) => {
                let (path, name) = (file.path().to_owned(), entry.told(name).to_owned());
                let expected = format!("{shape:?}");
                GgufError::TensorShape { path, name, expected, found }.into()
            }
            None => Error::TensorShape { name: name.to_owned(), expected: shape.to_vec(), found },
        })
    }

    pub(super) fn missing(&self, name: &str) -> Error {
        if let Some(file) = self.gguf() {
            let of_checkpoint = format!("model.{name}");
            let ggml_name = ggml_name(name).or_else(|| ggml_name(&of_checkpoint));
            let name = ggml_name.unwrap_or_else(|| name.to_owned());
            return GgufError::MissingTensor { path: file.path().to_owned(), name }.into();
        }
        let mut keys = self.tensors.values().map(|entry| &entry.key);
        let instead = keys.find(|key| is_wrapped(key, name)).cloned();
        Error::MissingTensor { name: name.to_owned(), instead }
    }

    pub(super) fn not_finite(&self, name: &str) -> Error {
        let told = self.tensors.get(name).map_or(name, |entry| entry.told(name)).to_owned();
        match self.gguf() {
            Some(file) => GgufError::NotFinite { path: file.path().to_owned(), name: told }.into(),
            None => Error::NotFinite { name: told },
        }
    }

    /// The GGUF file that these are from.
    fn gguf(&self) -> Option<&GgufFile> {
        match self.files.first() {
            Some(Bytes::Gguf(file)) => Some(file),
            _ => None,
        }
    }
}
