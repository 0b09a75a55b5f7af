//! Safetensors files as named, checked tensors. Files are untrusted: every
//! length is checked here, once, before a tensor exists.

use crate::error::Error;
use burn::tensor::{AllocationProperty, DType, TensorData, bf16, f16};
use qwen3_kernels::MatmulStrategy;
use qwen3_kernels::mapped_file::{MappedFile, share};
use safetensors::SafeTensors;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex};

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32-bit IEEE 754.
    F32,
    /// 16-bit IEEE 754: largest value 65,504.
    F16,
    /// The upper half of a float32.
    Bf16,
}

impl Dtype {
    /// Bytes of one number.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    pub(crate) fn burn(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }
}

/// How weights are held on a device, and multiplied.
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    /// Precision of embeddings and linear layers.
    pub dtype: Dtype,
    /// The largest tensor that the device takes.
    pub max_tensor_bytes: u64,
    /// How the linear layers are computed.
    pub strategy: MatmulStrategy,
}

/// How the names begin of tensors that are other files or checksums.
pub const ATTACHMENT: &str = "qwen3.";

/// The tensors of a checkpoint, by their name without the `model.` prefix.
#[derive(Debug)]
pub struct Weights {
    files: Vec<Bytes>,
    tensors: BTreeMap<String, Entry>,
    has_model_prefix: bool,
    used: Mutex<BTreeSet<String>>,
}

/// A tensor as it is in the file.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    /// Its name without `model.`.
    pub name: &'a str,
    /// Its shape.
    pub shape: &'a [usize],
    /// How its numbers are stored.
    pub dtype: Dtype,
}

#[derive(Debug)]
enum Bytes {
    Mapped(Arc<MappedFile>),
    Owned(Vec<u8>),
}

#[derive(Debug)]
struct Entry {
    file: usize,
    dtype: safetensors::Dtype,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

impl Weights {
    /// `model.safetensors`, or the shards of `model.safetensors.index.json`, in `folder`.
    ///
    /// # Errors
    /// If there is neither, or a file can't be read, is cut short, contradicts
    /// itself, or lies outside of the folder.
    pub fn from_folder(folder: &Path) -> Result<Self, Error> {
        let single = folder.join("model.safetensors");
        let index = folder.join("model.safetensors.index.json");
        let mut weights = Self::empty();
        if single.exists() {
            weights.add_file(&single)?;
        } else if index.exists() {
            for file in files_of_index(&index)? {
                weights.add_file(&folder.join(file))?;
            }
        } else {
            return Err(Error::NoWeights { folder: folder.to_owned() });
        }
        Ok(weights)
    }

    /// One safetensors file. Tensors whose name begins with [`ATTACHMENT`]
    /// are no weights, and passed over.
    ///
    /// # Errors
    /// If it is cut short or contradicts itself; `path` is for the message.
    pub fn from_map(map: Arc<MappedFile>, path: &Path) -> Result<Self, Error> {
        let mut weights = Self::empty();
        weights.add(Bytes::Mapped(map), path)?;
        Ok(weights)
    }

    /// A safetensors file that is already in memory.
    ///
    /// # Errors
    /// If it is cut short or contradicts itself.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        let mut weights = Self::empty();
        weights.add(Bytes::Owned(bytes), Path::new("in memory"))?;
        Ok(weights)
    }

    fn empty() -> Self {
        Self {
            files: vec![],
            tensors: BTreeMap::new(),
            has_model_prefix: false,
            used: Mutex::default(),
        }
    }

    fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let map = MappedFile::open(path)
            .map_err(|source| Error::Read { path: path.to_owned(), source })?;
        self.add(Bytes::Mapped(Arc::new(map)), path)
    }

    fn add(&mut self, bytes: Bytes, path: &Path) -> Result<(), Error> {
        // Checks that offsets rise without gaps, match dtypes and shapes, and end with the file.
        let (header_bytes, header) = SafeTensors::read_metadata(bytes.as_slice())
            .map_err(|source| Error::Safetensors { path: path.to_owned(), source })?;
        let start = header_bytes + size_of::<u64>();
        for (name, info) in header.tensors() {
            if name.starts_with(ATTACHMENT) {
                continue;
            }
            let stripped = name.strip_prefix("model.");
            self.has_model_prefix |= stripped.is_some();
            let entry = Entry {
                file: self.files.len(),
                dtype: info.dtype,
                shape: info.shape.clone(),
                bytes: start + info.data_offsets.0..start + info.data_offsets.1,
            };
            self.tensors.insert(stripped.unwrap_or(&name).to_owned(), entry);
        }
        self.files.push(bytes);
        Ok(())
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
        let tensors = self.tensors.iter();
        tensors
            .map(|(name, entry)| {
                Ok(Stored { name, shape: &entry.shape, dtype: entry.dtype(name)? })
            })
            .collect()
    }

    /// Whether the checkpoint's own names begin with `model.`.
    pub fn has_model_prefix(&self) -> bool {
        self.has_model_prefix
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
        self.tensors.values().map(|entry| entry.shape.iter().product::<usize>() as u64).sum()
    }

    /// How most of the numbers are stored.
    ///
    /// # Errors
    /// If it is none of [`Dtype`].
    pub fn dtype(&self) -> Result<Dtype, Error> {
        let largest = self.tensors.iter().max_by_key(|(_, entry)| entry.bytes.len());
        let (name, entry) = largest.ok_or_else(|| missing("embed_tokens.weight"))?;
        entry.dtype(name)
    }

    /// A tensor of exactly this shape in `dtype`: the file's own memory where
    /// that is how it is stored, else converted on the host.
    ///
    /// # Errors
    /// If it is missing, misshapen, not a floating-point number, or if a value
    /// becomes infinite in `dtype`.
    pub fn tensor(&self, name: &str, shape: &[usize], dtype: Dtype) -> Result<TensorData, Error> {
        let entry = self.entry(name, shape)?;
        self.data(name, entry, entry.bytes.clone(), shape, dtype)
    }

    /// Some rows of a matrix of exactly this shape, as [`Weights::tensor`].
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    ///
    /// # Panics
    /// If the matrix has no such rows.
    pub fn rows(
        &self,
        name: &str,
        shape: [usize; 2],
        rows: Range<usize>,
        dtype: Dtype,
    ) -> Result<TensorData, Error> {
        let entry = self.entry(name, &shape)?;
        let [n_rows, columns] = shape;
        assert!(rows.end <= n_rows, "rows {rows:?} of {n_rows}");
        let row_bytes = columns * entry.dtype(name)?.size_bytes();
        let at = |row| entry.bytes.start + row * row_bytes;
        self.data(name, entry, at(rows.start)..at(rows.end), &[rows.len(), columns], dtype)
    }

    fn data(
        &self,
        name: &str,
        entry: &Entry,
        bytes: Range<usize>,
        shape: &[usize],
        dtype: Dtype,
    ) -> Result<TensorData, Error> {
        let stored = entry.dtype(name)?;
        let file = &self.files[entry.file];
        let values = &file.as_slice()[bytes.clone()];
        let is_aligned = values.as_ptr().addr().is_multiple_of(stored.size_bytes());
        match file {
            Bytes::Mapped(map)
                if stored == dtype && is_aligned && cfg!(target_endian = "little") =>
            {
                let bytes = share(map, bytes);
                let bytes = burn::tensor::Bytes::from_shared(bytes, AllocationProperty::File);
                Ok(TensorData::from_bytes(bytes, shape, dtype.burn()))
            }
            _ => {
                let data = convert(name, values, stored, shape, dtype)?;
                if let Bytes::Mapped(map) = file {
                    map.release(bytes);
                }
                Ok(data)
            }
        }
    }

    /// One row of a matrix of exactly this shape, in float32.
    ///
    /// # Errors
    /// As [`Weights::tensor`], and if there is no such row.
    pub fn row(&self, name: &str, shape: [usize; 2], row: u32) -> Result<Vec<f32>, Error> {
        if row as usize >= shape[0] {
            return Err(Error::TokenId { id: row, vocab_size: shape[0] });
        }
        let row = row as usize;
        let data = self.rows(name, shape, row..row + 1, Dtype::F32)?;
        Ok(data.into_vec().expect("converted to float32"))
    }

    /// # Errors
    /// If a tensor has not been asked for, other than those in `allowed`.
    pub fn all_used(&self, allowed: &[&str]) -> Result<(), Error> {
        let used = self.used.lock().expect("nothing panics while it holds the lock");
        let is_unused = |name: &&String| !used.contains(*name) && !allowed.contains(&name.as_str());
        let unused: Vec<&String> = self.tensors.keys().filter(is_unused).collect();
        match unused.first() {
            None => Ok(()),
            Some(&name) => Err(Error::UnusedTensors { name: name.clone(), count: unused.len() }),
        }
    }

    fn entry(&self, name: &str, shape: &[usize]) -> Result<&Entry, Error> {
        let entry = self.tensors.get(name).ok_or_else(|| missing(name))?;
        if entry.shape != shape {
            return Err(Error::TensorShape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: entry.shape.clone(),
            });
        }
        self.used.lock().expect("nothing panics while it holds the lock").insert(name.to_owned());
        Ok(entry)
    }
}

impl Entry {
    fn dtype(&self, name: &str) -> Result<Dtype, Error> {
        match self.dtype {
            safetensors::Dtype::F32 => Ok(Dtype::F32),
            safetensors::Dtype::F16 => Ok(Dtype::F16),
            safetensors::Dtype::BF16 => Ok(Dtype::Bf16),
            other => Err(Error::TensorDtype { name: name.to_owned(), dtype: format!("{other:?}") }),
        }
    }
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

fn missing(name: &str) -> Error {
    Error::MissingTensor { name: name.to_owned() }
}

/// The files that a `model.safetensors.index.json` names, each once.
///
/// # Errors
/// If it can't be read, is no index, or names a file outside of its folder.
pub fn files_of_index(index: &Path) -> Result<BTreeSet<String>, Error> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let text = std::fs::read_to_string(index)
        .map_err(|source| Error::Read { path: index.to_owned(), source })?;
    let Index { weight_map } = serde_json::from_str(&text)
        .map_err(|source| Error::IndexSyntax { path: index.to_owned(), source })?;
    let files: BTreeSet<String> = weight_map.into_values().collect();
    for file in &files {
        let mut parts = Path::new(file).components();
        let is_plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        if !is_plain {
            return Err(Error::IndexPath { path: index.to_owned(), file: file.clone() });
        }
    }
    Ok(files)
}

/// Little-endian bytes as numbers of another dtype.
fn convert(
    name: &str,
    bytes: &[u8],
    from: Dtype,
    shape: &[usize],
    to: Dtype,
) -> Result<TensorData, Error> {
    let f32s = || bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let f16s = || bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]));
    let bf16s = || bytes.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]]));
    fn data<E: burn::tensor::Element>(
        values: impl Iterator<Item = E>,
        shape: &[usize],
    ) -> TensorData {
        TensorData::new(values.collect::<Vec<E>>(), shape.to_vec())
    }
    Ok(match (from, to) {
        (Dtype::F32, Dtype::F32) => data(f32s(), shape),
        (Dtype::F16, Dtype::F16) => data(f16s(), shape),
        (Dtype::Bf16, Dtype::Bf16) => data(bf16s(), shape),
        (Dtype::F16, Dtype::F32) => data(f16s().map(f16::to_f32), shape),
        (Dtype::Bf16, Dtype::F32) => data(bf16s().map(bf16::to_f32), shape),
        (Dtype::F32, Dtype::Bf16) => data(f32s().map(bf16::from_f32), shape),
        (Dtype::F16, Dtype::Bf16) => data(f16s().map(|x| bf16::from_f32(x.to_f32())), shape),
        (Dtype::F32, Dtype::F16) => data(narrow(name, f32s())?, shape),
        (Dtype::Bf16, Dtype::F16) => data(narrow(name, bf16s().map(bf16::to_f32))?, shape),
    })
}

/// Float16 values, unless one that was finite would become infinite.
fn narrow(
    name: &str,
    values: impl Iterator<Item = f32>,
) -> Result<impl Iterator<Item = f16>, Error> {
    let mut lost = None;
    let narrowed: Vec<f16> = values
        .map(|value| {
            let narrowed = f16::from_f32(value);
            if narrowed.is_infinite() && value.is_finite() {
                lost = Some(value);
            }
            narrowed
        })
        .collect();
    match lost {
        Some(value) => Err(Error::Float16Range { name: name.to_owned(), value }),
        None => Ok(narrowed.into_iter()),
    }
}
