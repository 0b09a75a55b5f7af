//! The portable file: a whole model in one safetensors file, as `convert`
//! writes it. Its bytes are untrusted, and every one of them is checked.
//!
//! ```text
//!  8 bytes   length of the header
//!  header    JSON: names, dtypes, shapes and offsets of the tensors, and under
//!            `__metadata__` the format, its version, kind, layout and sources;
//!            spaces up to a multiple of 64 bytes, so that tensors are aligned
//!  tensors   weights by their names without `model.`, strips first and then wider dtypes; blocks
//!            are rows of bytes, whose dtypes are in the metadata under `blocks`, such as
//!            `q8_0 strips`; the layout is `strips` if one is laid out so, else `rows`
//!            qwen3.files/NAME   config.json, tokenizer.json, … byte for byte
//!            qwen3.checksums    XXH3-64, little-endian: of all before the first
//!                               tensor, then of each tensor in their order
//! ```

use crate::choices::Kind;
use crate::error::Error;
use qwen3::files;
use qwen3::tensor_file::{MAX_HEADER_BYTES, TensorFile};
use qwen3::weights::{ATTACHMENT, BLOCKS, stated};
use qwen3::{Dtype, Layout};
use rayon::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

const FORMAT: &str = "qwen3";
/// Goes up when a reader of the version before would go wrong.
const VERSION: u64 = 1;
const CHECKSUM_BYTES: usize = size_of::<u64>();
/// The first tensor begins at a multiple of this many bytes.
const ALIGNMENT: usize = 64;

/// What a portable file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provenance {
    /// What the model is for.
    pub kind: Kind,
    /// SHA-256 of the files that it was made of, by their names.
    pub sources: BTreeMap<String, String>,
}

/// An opened portable file whose checksums are right.
#[derive(Debug)]
pub struct Portable {
    pub file: TensorFile,
    pub provenance: Provenance,
    files: BTreeMap<String, Range<usize>>,
}

/// Whether the file says that it is a portable file, whole or not.
pub fn is_portable(path: &Path) -> bool {
    metadata(path).is_some_and(|metadata| is_ours(&metadata))
}

fn is_ours(metadata: &HashMap<String, String>) -> bool {
    metadata.get("format").is_some_and(|format| format == FORMAT)
}

/// `__metadata__` of a safetensors file, however broken the rest of it is.
fn metadata(path: &Path) -> Option<HashMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Header {
        __metadata__: HashMap<String, String>,
    }
    files::check_regular(path).ok()?;
    let mut file = File::open(path).ok()?;
    let mut length = [0; size_of::<u64>()];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES || length > file.metadata().ok()?.len() {
        return None;
    }
    let mut header = vec![];
    file.take(length).read_to_end(&mut header).ok()?;
    let Header { __metadata__: metadata } = serde_json::from_slice(&header).ok()?;
    Some(metadata)
}

impl Portable {
    /// Maps the file and compares all checksums; `None`: it says nothing of being
    /// a portable file.
    ///
    /// # Errors
    /// If its version is another than this program's, or any byte is not as it was written.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        Self::checked(TensorFile::open(path), path)
    }

    /// A portable file that is a part of the program; `name` stands for its path.
    ///
    /// # Errors
    /// As [`Portable::open`], and if it is none.
    #[cfg(feature = "mini")]
    pub fn of_program(file: &'static [u8], name: &Path) -> Result<Self, Error> {
        let opened = Self::checked(TensorFile::of_program(file, name), name)?;
        opened.ok_or_else(|| Error::NotAModelFile { file: name.to_owned() })
    }

    fn checked(file: Result<TensorFile, qwen3::Error>, path: &Path) -> Result<Option<Self>, Error> {
        let stated = match &file {
            Ok(file) => file.metadata().cloned(),
            Err(_) => metadata(path),
        };
        let Some(stated) = stated.filter(is_ours) else { return Ok(None) };
        let path = path.to_owned();
        // The version first: what follows may be different in another one.
        match stated.get("version").and_then(|version| version.parse().ok()) {
            Some(VERSION) => {}
            Some(found) => return Err(Error::PortableVersion { path, found, known: VERSION }),
            None => {
                let what = "its header has no version".to_owned();
                return Err(Error::PortableDamaged { path, what });
            }
        }
        let opened = match file {
            Ok(file) => Self::verified(file, &stated),
            Err(qwen3::Error::Safetensors { source, .. }) => Err(source.to_string()),
            Err(other) => return Err(other.into()),
        };
        opened.map(Some).map_err(|what| Error::PortableDamaged { path, what })
    }

    /// # Errors
    /// What is damaged.
    fn verified(file: TensorFile, stated: &HashMap<String, String>) -> Result<Self, String> {
        let tensors = file.tensors();
        verify(&file, &tensors)?;
        let provenance =
            provenance(stated).ok_or("its kind, layout or sources are unknown to this program")?;
        let of_file = |(name, range): (String, Range<usize>)| {
            Some((name.strip_prefix(&file_tensor(""))?.to_owned(), range))
        };
        let files = tensors.into_iter().filter_map(of_file).collect();
        Ok(Self { file, provenance, files })
    }

    /// A file that was put in, by its name in the model's folder.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(|range| &self.file.bytes()[range.clone()])
    }
}

/// # Errors
/// What is damaged.
fn verify(file: &TensorFile, tensors: &[(String, Range<usize>)]) -> Result<(), String> {
    let Some(((last, checksums), tensors)) = tensors.split_last() else {
        return Err("it is empty".to_owned());
    };
    if *last != checksums_tensor() || checksums.len() != CHECKSUM_BYTES * (1 + tensors.len()) {
        return Err("its checksums are missing".to_owned());
    }
    let mut expected = file.bytes()[checksums.clone()]
        .chunks_exact(CHECKSUM_BYTES)
        .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("chunks of eight")));
    if expected.next() != Some(checksum(file.header_bytes())) {
        return Err("the header is not as it was written".to_owned());
    }
    let expected: Vec<u64> = expected.collect();
    let damaged = tensors.par_iter().zip(expected).find_first(|((_, range), expected)| {
        let found = checksum(&file.bytes()[range.clone()]);
        // Most of an embedding table is never read again.
        file.release(range.clone());
        found != *expected
    });
    match damaged {
        None => Ok(()),
        Some(((name, _), _)) => Err(format!("`{name}` is not as it was written")),
    }
}

fn provenance(metadata: &HashMap<String, String>) -> Option<Provenance> {
    let known = [Layout::Rows, Layout::Strips].map(Layout::name);
    metadata.get("layout").filter(|layout| known.contains(&layout.as_str()))?;
    Some(Provenance {
        kind: metadata.get("kind")?.parse().ok()?,
        sources: serde_json::from_str(metadata.get("sources")?).ok()?,
    })
}

/// The bytes before the first tensor; `blocks` are the names of those that are blocks, and how.
pub fn header(
    provenance: &Provenance,
    tensors: Vec<(String, safetensors::tensor::TensorInfo)>,
    blocks: BTreeMap<String, (Dtype, Layout)>,
) -> Vec<u8> {
    let are_strips = blocks.values().any(|(_, layout)| *layout == Layout::Strips);
    let layout = if are_strips { Layout::Strips } else { Layout::Rows };
    let blocks = blocks.into_iter().map(|(name, (dtype, layout))| (name, stated(dtype, layout)));
    let blocks: BTreeMap<_, _> = blocks.collect();
    let sources = Value::from_iter(provenance.sources.clone()).to_string();
    let metadata = [
        ("format", FORMAT.to_owned()),
        ("version", VERSION.to_string()),
        ("kind", provenance.kind.to_string()),
        ("layout", layout.name().to_owned()),
        ("sources", sources),
        ("written_by", concat!("qwen3 ", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    let mut metadata: HashMap<String, String> =
        metadata.map(|(key, value)| (key.to_owned(), value)).into();
    if !blocks.is_empty() {
        metadata.insert(BLOCKS.to_owned(), Value::from_iter(blocks).to_string());
    }
    let header = safetensors::tensor::Metadata::new(Some(metadata), tensors)
        .expect("offsets and sizes are computed from the shapes");
    let mut json = serde_json::to_vec(&header).expect("a map with string keys");
    let length = (size_of::<u64>() + json.len()).next_multiple_of(ALIGNMENT) - size_of::<u64>();
    json.resize(length, b' ');
    [&(length as u64).to_le_bytes()[..], &json].concat()
}

/// XXH3-64: as fast as memory. It finds accidents; who forges a file can forge
/// this too, for which the sources' SHA-256 are kept.
pub fn checksum(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

pub fn file_tensor(name: &str) -> String {
    format!("{ATTACHMENT}files/{name}")
}

pub fn checksums_tensor() -> String {
    format!("{ATTACHMENT}checksums")
}

/// Bytes of the tensor of checksums in a file of `tensors` other tensors.
pub fn checksums_bytes(tensors: usize) -> usize {
    CHECKSUM_BYTES * (1 + tensors)
}

/// A path inside of the file, for messages.
pub fn inside(path: &Path, name: &str) -> PathBuf {
    path.join(name)
}
