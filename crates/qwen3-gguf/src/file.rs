//! An opened GGUF file. Files are untrusted: everything in the header is checked here, once,
//! before anybody sees a tensor.

use crate::error::{Error, Fault};
use crate::header::{Cursor, Header};
use crate::metadata::{Entries, Metadata};
use crate::tensors::{Tensor, placed};
use bytes::Bytes;
use qwen3_sys::MappedFile;
use qwen3_sys::mapped_file::share;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 4] = b"GGUF";

/// A file whose header is right, and its tensors.
#[derive(Clone)]
pub struct GgufFile {
    path: PathBuf,
    content: Content,
    entries: Arc<Entries>,
    tensors: Vec<Tensor>,
    /// Indices of tensors.
    by_name: BTreeMap<String, usize>,
}

#[derive(Clone)]
enum Content {
    Mapped(Arc<MappedFile>),
    Owned(Bytes),
}

impl GgufFile {
    /// Maps the file and reads its header; of the tensors nothing is read.
    ///
    /// # Errors
    /// If it can't be read, is no GGUF file, is cut short or contradicts itself, or has a
    /// tensor in none of [`crate::Dtype`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Read { path: path.to_owned(), source };
        // A pipe would be waited for, and a device has no end.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(Error::NotRegular { path: path.to_owned() });
        }
        let file = MappedFile::open(path).map_err(unreadable)?;
        Self::of(Content::Mapped(Arc::new(file)), path)
    }

    /// A file that is already in memory; `path` is for messages.
    ///
    /// # Errors
    /// As [`GgufFile::open`].
    pub fn from_bytes(file: impl Into<Bytes>, path: &Path) -> Result<Self, Error> {
        Self::of(Content::Owned(file.into()), path)
    }

    fn of(content: Content, path: &Path) -> Result<Self, Error> {
        let damaged = |source: Fault| Error::Damaged { path: path.to_owned(), source };
        let file = content.as_slice();
        let start = check_version(file, path)?;
        let header = Header::read(file, start).map_err(damaged)?;
        let dtypes = header.tensors.iter().map(|tensor| tensor.dtype(path));
        let dtypes = dtypes.collect::<Result<Vec<_>, _>>()?;
        let tensors = header.tensors.into_iter().zip(dtypes).collect();
        let tensors = placed(tensors, header.data, header.alignment).map_err(damaged)?;
        let names = tensors.iter().enumerate();
        let by_name = names.map(|(index, tensor)| (tensor.name.clone(), index)).collect();
        let (path, entries) = (path.to_owned(), Arc::new(header.entries));
        Ok(Self { path, content, entries, tensors, by_name })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says about itself.
    pub fn metadata(&self) -> Metadata<'_> {
        Metadata { file: self.bytes(), path: &self.path, entries: &self.entries }
    }

    /// The tensors in the order of their bytes.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The tensor of ggml's name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.by_name.get(name).map(|&index| &self.tensors[index])
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        self.content.as_slice()
    }

    /// A part of the file without a copy of it, whose pages go back when its last owner is
    /// gone.
    ///
    /// # Panics
    /// If the file has no such bytes.
    pub fn share(&self, bytes: Range<usize>) -> Bytes {
        match &self.content {
            Content::Mapped(file) => share(file, bytes),
            Content::Owned(file) => file.slice(bytes),
        }
    }

    /// Tells the system that these bytes won't be needed soon.
    pub fn release(&self, bytes: Range<usize>) {
        if let Content::Mapped(file) = &self.content {
            file.release(bytes);
        }
    }
}

/// Where the version ends.
fn check_version(file: &[u8], path: &Path) -> Result<usize, Error> {
    let path = || path.to_owned();
    if !file.starts_with(MAGIC) {
        return Err(Error::NotGguf { path: path() });
    }
    let mut cursor = Cursor { bytes: file, at: MAGIC.len() };
    match cursor.u32() {
        Ok(2 | 3) => Ok(cursor.at),
        Ok(found) if matches!(found.swap_bytes(), 1..=3) => Err(Error::BigEndian { path: path() }),
        Ok(found) => Err(Error::Version { path: path(), found }),
        Err(source) => Err(Error::Damaged { path: path(), source }),
    }
}

impl Content {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(file) => file,
            Self::Owned(file) => file,
        }
    }
}

impl fmt::Debug for GgufFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GgufFile")
            .field("path", &self.path)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}
