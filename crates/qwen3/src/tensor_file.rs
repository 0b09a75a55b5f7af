//! A safetensors file whose header has been read. Files are untrusted: every
//! length is checked here, once, before a tensor exists.

use crate::error::Error;
use crate::files;
use qwen3_gguf::GgufFile;
use qwen3_sys::MappedFile;
use qwen3_sys::mapped_file::share;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{SafeTensorError, SafeTensors};
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Published checkpoints have headers of up to 100 KB.
pub const MAX_HEADER_BYTES: u64 = 10_000_000;

/// An opened file and its header.
#[derive(Debug)]
pub struct TensorFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Bytes,
    pub(crate) header: Metadata,
    data_start: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Bytes {
    Mapped(Arc<MappedFile>),
    Owned(Arc<Vec<u8>>),
    Gguf(GgufFile),
}

impl TensorFile {
    /// Maps the file and reads its header.
    ///
    /// # Errors
    /// If it can't be read, is no safetensors file, is cut short or contradicts itself.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::of(Bytes::Mapped(Arc::new(files::map(path)?)), path)
    }

    /// A file that is a part of the program; `name` stands for its path in messages.
    ///
    /// # Errors
    /// If it is cut short or contradicts itself.
    pub fn of_program(file: &'static [u8], name: &Path) -> Result<Self, Error> {
        Self::of(Bytes::Mapped(Arc::new(MappedFile::of_program(file))), name)
    }

    /// A file that is already in memory.
    ///
    /// # Errors
    /// If it is cut short or contradicts itself.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        Self::of(Bytes::Owned(Arc::new(bytes)), Path::new("in memory"))
    }

    fn of(bytes: Bytes, path: &Path) -> Result<Self, Error> {
        let invalid = |error: SafeTensorError| Error::Safetensors {
            path: path.to_owned(),
            source: error.into(),
        };
        let length = bytes.as_slice().first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        if length > MAX_HEADER_BYTES {
            return Err(invalid(SafeTensorError::HeaderTooLarge));
        }
        // Checks that offsets rise without gaps, match dtypes and shapes, and end with the file.
        let (header_bytes, header) =
            SafeTensors::read_metadata(bytes.as_slice()).map_err(invalid)?;
        let data_start = header_bytes + size_of::<u64>();
        Ok(Self { path: path.to_owned(), bytes, header, data_start })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says about itself under `__metadata__`.
    pub fn metadata(&self) -> Option<&HashMap<String, String>> {
        self.header.metadata().as_ref()
    }

    /// All before the first tensor.
    pub fn header_bytes(&self) -> &[u8] {
        &self.bytes()[..self.data_start]
    }

    /// Names of the tensors in the order of their bytes, and where these are.
    pub fn tensors(&self) -> Vec<(String, Range<usize>)> {
        let tensors = self.header.tensors();
        let names = self.header.offset_keys().into_iter();
        names.map(|name| (name.clone(), self.bytes_of(tensors[&name]))).collect()
    }

    /// Tells the system that these bytes won't be needed soon.
    pub fn release(&self, bytes: Range<usize>) {
        self.bytes.release(bytes);
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    pub(crate) fn bytes_of(&self, tensor: &TensorInfo) -> Range<usize> {
        let (start, end) = tensor.data_offsets;
        self.data_start + start..self.data_start + end
    }
}

impl Bytes {
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
            Self::Gguf(file) => file.bytes(),
        }
    }

    /// A part of a mapped file without a copy of it.
    pub fn share(&self, bytes: Range<usize>) -> Option<bytes::Bytes> {
        match self {
            Self::Mapped(map) => Some(share(map, bytes)),
            Self::Owned(_) => None,
            Self::Gguf(file) => Some(file.share(bytes)),
        }
    }

    /// Tells the system that these bytes won't be needed soon.
    pub fn release(&self, bytes: Range<usize>) {
        match self {
            Self::Mapped(map) => map.release(bytes),
            Self::Owned(_) => {}
            Self::Gguf(file) => file.release(bytes),
        }
    }
}
