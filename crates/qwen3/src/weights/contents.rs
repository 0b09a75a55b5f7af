//! What files hold, before each tensor has found its name in the network.

use super::{ATTACHMENT, BLOCKS, Entry, Weights};
use crate::error::Error;
use crate::names::{EMBEDDING_TABLE, before, is_adapter, is_buffer, unwrapped, without_prefix};
use crate::tensor_file::{Bytes, TensorFile};
use qwen3_dtypes::{Dtype, Layout};
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
                Some(stated) => in_blocks(stated, info),
                None => (of_numbers(info.dtype).map(in_rows), info.shape.clone()),
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
            let (dtype, shape, bytes) = (Ok(in_rows(tensor.dtype)), tensor.shape, tensor.bytes);
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

fn in_rows(dtype: Dtype) -> (Dtype, Layout) {
    (dtype, Layout::Rows)
}

/// What a safetensors file says of blocks that are laid out so, such as `q8_0` or `q8_0 strips`.
pub fn stated(dtype: Dtype, layout: Layout) -> String {
    match layout {
        Layout::Rows => dtype.name().to_owned(),
        Layout::Strips => format!("{dtype} {}", layout.name()),
    }
}

/// How blocks are stored of which a file says so, and their shape. In the file they are rows
/// of bytes.
fn in_blocks(said: &str, info: &TensorInfo) -> (Result<(Dtype, Layout), String>, Vec<usize>) {
    let layouts = [Layout::Rows, Layout::Strips].into_iter();
    let of_layout = |layout| Dtype::all().map(move |dtype| (dtype, layout));
    let mut blocks = layouts.flat_map(of_layout).filter(|(dtype, _)| dtype.is_blocks());
    let known = blocks.find(|(dtype, layout)| stated(*dtype, *layout).eq_ignore_ascii_case(said));
    let (Some((dtype, layout)), [rows, bytes]) = (known, &info.shape[..]) else {
        return (Err(said.to_owned()), info.shape.clone());
    };
    let shape = [*rows, bytes / dtype.block_bytes() * dtype.block_len()];
    let is_whole = info.dtype == safetensors::Dtype::U8 && dtype.bytes_of(shape[1]) == *bytes;
    match is_whole && layout.takes(dtype, shape) {
        true => (Ok((dtype, layout)), shape.to_vec()),
        false => (Err(format!("{said} in {rows} rows of {bytes} bytes")), info.shape.clone()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use qwen3_dtypes::strips;
    use safetensors::tensor::TensorView;

    /// A file with one tensor of bytes, of which it says this.
    fn weights(name: &str, said: &str, [rows, row_bytes]: [usize; 2], bytes: &[u8]) -> Weights {
        let view = TensorView::new(safetensors::Dtype::U8, vec![rows, row_bytes], bytes).unwrap();
        let blocks = format!("{{\"{name}\": \"{said}\"}}");
        let metadata = HashMap::from([(BLOCKS.to_owned(), blocks)]);
        let file = safetensors::serialize([(name, view)], Some(metadata)).unwrap();
        Weights::from_file(&TensorFile::from_bytes(file).unwrap()).unwrap()
    }

    #[test]
    fn rows_are_read_out_of_strips() {
        let (shape, row_bytes) = ([64, 96], Dtype::Q4_0.bytes_of(96));
        let bytes: Vec<u8> = (0..64 * row_bytes).map(|i| (i * 5 % 251) as u8 & 0xbf).collect();
        let laid = strips::of_rows(Dtype::Q4_0, shape, &bytes);
        let strips = weights(EMBEDDING_TABLE, "Q4_0 strips", [64, row_bytes], &laid);
        let rows = weights(EMBEDDING_TABLE, "q4_0", [64, row_bytes], &bytes);
        for part in [0..64, 7..8, 31..40, 9..9] {
            let of = |weights: &Weights| {
                weights.rows(EMBEDDING_TABLE, shape, part.clone(), Dtype::F32).unwrap()
            };
            assert_eq!(of(&strips), of(&rows), "{part:?}");
        }
        for layout in [Layout::Rows, Layout::Strips] {
            let of = |weights: &Weights| {
                weights.matrix(EMBEDDING_TABLE, shape, Dtype::Q4_0, layout).unwrap()
            };
            let expected = if layout == Layout::Rows { &bytes } else { &laid };
            assert_eq!(of(&strips).as_bytes(), &expected[..]);
            assert_eq!(of(&rows).as_bytes(), &expected[..]);
        }
        strips.check_finite(EMBEDDING_TABLE).unwrap();
        assert_eq!(strips.stored(EMBEDDING_TABLE).unwrap().layout, Layout::Strips);
    }

    #[test]
    fn blocks_that_are_none_are_named() {
        for (said, shape) in [
            ("q8_0 strips", [31, 34]),
            ("q6_k strips", [32, 210]),
            ("q8_0 stripes", [32, 34]),
            ("q8_0", [32, 33]),
            ("f32 strips", [32, 64]),
            ("strips", [32, 34]),
        ] {
            let weights = weights(EMBEDDING_TABLE, said, shape, &vec![0; shape[0] * shape[1]]);
            let error = weights.dtype_of(EMBEDDING_TABLE).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains(EMBEDDING_TABLE), "{error}");
        }
    }
}
