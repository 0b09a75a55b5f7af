//! A checkpoint to a portable file ([`crate::portable`]).

use super::portable::{self, Portable, Provenance, checksum, checksums_bytes};
use super::{Checkpoint, NewFile, Source, sha256};
use crate::choices::{DtypeChoice, Kind};
use crate::device::self_check::reference_device;
use crate::error::Error;
use crate::options::setters;
use crate::progress::{Hooks, Progress};
use qwen3::head::{YES_NO, yes_no_rows};
use qwen3::weights::Stored;
use qwen3::{Dtype, MatmulStrategy, ScoreHead, Storage};
use qwen3_text::SpecialTokens;
use safetensors::tensor::TensorInfo;
use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// What [`convert`] may choose.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConvertOptions {
    /// Precision of the matrices; `Auto`: as they are stored. Norms, biases
    /// and heads stay as they are, so that loading the source in this
    /// precision and loading the file give the same vectors, bit for bit.
    pub dtype: DtypeChoice,
    /// Leave out the output head of a reranker, but for the rows of "yes" and "no".
    pub trim_head: bool,
    /// Replace a file that is there.
    pub force: bool,
    /// Progress, and cancelling.
    pub hooks: Hooks,
}

impl ConvertOptions {
    setters! { dtype: DtypeChoice, trim_head: bool, force: bool, hooks: Hooks }
}

/// What [`convert`] has written.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Converted {
    /// Size of the file on the disk.
    pub bytes: u64,
    /// Weights in it, without other files.
    pub tensors: usize,
    /// What it says about itself.
    pub provenance: Provenance,
}

/// A tensor to be written.
struct Part<'a> {
    name: String,
    shape: Vec<usize>,
    content: Content<'a>,
}

enum Content<'a> {
    /// A weight of the checkpoint, in this dtype.
    Weight(Dtype),
    /// Numbers that were computed.
    Numbers(Vec<f32>),
    /// Another file.
    File(Cow<'a, [u8]>),
}

/// Writes `model` as one file; see [`Checkpoint::convert`].
///
/// # Errors
/// If the model can't be found or opened, and as [`Checkpoint::convert`].
pub fn convert(
    model: impl Into<Source>,
    out: impl AsRef<Path>,
    options: &ConvertOptions,
) -> Result<Converted, Error> {
    Checkpoint::open(model, &options.hooks)?.convert(out, options)
}

impl Checkpoint {
    /// Writes the model as one file `out` that is loaded where a folder is: all
    /// weights, the side files, and the SHA-256 of what it was made of. The file
    /// appears when it is complete and verified, or not at all.
    ///
    /// # Errors
    /// If the model doesn't load, a value doesn't fit the dtype, `out` is there and
    /// not to be replaced, is a file of the model, or the disk is full.
    pub fn convert(
        &self,
        out: impl AsRef<Path>,
        options: &ConvertOptions,
    ) -> Result<Converted, Error> {
        let (out, hooks) = (out.as_ref(), &options.hooks);
        let mut new = create(out, options.force)?;
        let parts = parts(self, options)?;
        check_target(self, &parts, &new, out)?;
        check_loads(self, hooks)?;
        let provenance = Provenance { kind: self.kind, sources: sources(self, hooks)? };
        let header = portable::header(&provenance, infos(&parts));
        let whole = Whole { checkpoint: self, header, parts, out };
        whole.write_to(&mut new, hooks)?;
        publish(new, out, options.force)?;
        let total_bytes = whole.bytes();
        hooks.report(Progress::Convert { bytes: total_bytes, total_bytes });
        Ok(Converted { bytes: total_bytes, tensors: whole.weights(), provenance })
    }
}

/// The file to be, before anything is read that takes long.
fn create(out: &Path, force: bool) -> Result<NewFile, Error> {
    if out.is_dir() || (out.exists() && !force) {
        return Err(Error::Exists { path: out.to_owned() });
    }
    NewFile::create(out).map_err(|source| Error::Write { path: out.to_owned(), source })
}

/// Gives the file its name, once it is read back and right.
fn publish(new: NewFile, out: &Path, force: bool) -> Result<(), Error> {
    let failed = |source| Error::Write { path: out.to_owned(), source };
    if Portable::open(new.path())?.is_none() {
        return Err(failed(io::ErrorKind::InvalidData.into()));
    }
    let renamed = if force { new.replace() } else { new.keep_old() };
    renamed.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists { path: out.to_owned() },
        _ => failed(error),
    })
}

/// The file neither replaces one that it is made of nor fills its disk.
fn check_target(
    checkpoint: &Checkpoint,
    parts: &[Part],
    file: &NewFile,
    out: &Path,
) -> Result<(), Error> {
    let path = out.to_owned();
    let is_out = |source: &Path| same_file::is_same_file(source, out).unwrap_or(false);
    if checkpoint.source_files()?.iter().any(|(_, source)| is_out(source)) {
        return Err(Error::OwnSource { path });
    }
    let (needed, folder) = (content_bytes(parts), file.path().parent().unwrap_or(out));
    match fs4::available_space(folder) {
        Ok(free) if needed > free => Err(Error::DiskFull { path, needed, free }),
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Write { path, source }),
    }
}

/// Every tensor of the file but the checksums, wider dtypes first, so that
/// each is aligned.
fn parts<'a>(checkpoint: &'a Checkpoint, options: &ConvertOptions) -> Result<Vec<Part<'a>>, Error> {
    let is_reranker = checkpoint.kind == Kind::Reranker;
    if options.trim_head && !is_reranker {
        return Err(Error::TrimHead { kind: checkpoint.kind });
    }
    let weights = &checkpoint.weights;
    let mut parts = vec![];
    for Stored { name, shape, dtype: stored } in weights.tensors()? {
        let is_head = ["lm_head.weight", "score.weight", YES_NO].contains(&name);
        if name == YES_NO || (name == "lm_head.weight" && options.trim_head) {
            continue;
        }
        let dtype = if is_head || shape.len() < 2 { stored } else { options.dtype.or(stored) };
        let content = Content::Weight(dtype);
        parts.push(Part { name: name.to_owned(), shape: shape.to_vec(), content });
    }
    if is_reranker {
        let (_, yes, no) = checkpoint.rerank_tokenizer(SpecialTokens::Literal)?;
        let rows = yes_no_rows(weights, &checkpoint.config, yes, no)?.concat();
        let shape = vec![2, checkpoint.config.hidden_size];
        let content = Content::Numbers(rows);
        parts.push(Part { name: YES_NO.to_owned(), shape, content });
    }
    for name in checkpoint.side_files() {
        if let Some(bytes) = checkpoint.file(&name)? {
            let (name, shape) = (portable::file_tensor(&name), vec![bytes.len()]);
            parts.push(Part { name, shape, content: Content::File(bytes) });
        }
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.number_bytes()));
    Ok(parts)
}

impl Part<'_> {
    fn dtype(&self) -> safetensors::Dtype {
        match self.content {
            Content::Weight(Dtype::F32) | Content::Numbers(_) => safetensors::Dtype::F32,
            Content::Weight(Dtype::F16) => safetensors::Dtype::F16,
            Content::Weight(Dtype::Bf16) => safetensors::Dtype::BF16,
            Content::File(_) => safetensors::Dtype::U8,
        }
    }

    fn number_bytes(&self) -> usize {
        self.dtype().bitsize() / 8
    }

    fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.number_bytes()
    }

    /// Calls `take` with the little-endian bytes.
    fn with_bytes(
        &self,
        checkpoint: &Checkpoint,
        take: impl FnOnce(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match &self.content {
            Content::Weight(dtype) => {
                take(checkpoint.weights.tensor(&self.name, &self.shape, *dtype)?.as_bytes())
            }
            Content::Numbers(numbers) => {
                take(&numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())
            }
            Content::File(bytes) => take(bytes),
        }
    }
}

fn infos(parts: &[Part]) -> Vec<(String, TensorInfo)> {
    let checksums = checksums_bytes(parts.len());
    let content = parts
        .iter()
        .map(|part| (part.name.clone(), part.dtype(), part.shape.clone(), part.bytes()));
    let last = (portable::checksums_tensor(), safetensors::Dtype::U8, vec![checksums], checksums);
    let mut end = 0;
    content
        .chain([last])
        .map(|(name, dtype, shape, bytes)| {
            let start = end;
            end += bytes;
            (name, TensorInfo { dtype, shape, data_offsets: (start, end) })
        })
        .collect()
}

/// A checkpoint that doesn't load gives no file: its config may belong to other weights.
fn check_loads(checkpoint: &Checkpoint, hooks: &Hooks) -> Result<(), Error> {
    let Some(device) = reference_device() else { return Ok(()) };
    let storage = Storage {
        dtype: checkpoint.weights.dtype()?,
        max_tensor_bytes: u64::MAX,
        strategy: MatmulStrategy::PlainUnits,
    };
    let mut on_tensor = |_, _| hooks.go_on();
    let config = &checkpoint.config;
    if checkpoint.kind == Kind::SequenceClassification {
        ScoreHead::sequence_classification(&checkpoint.weights, config)?;
    }
    device.load(&checkpoint.weights, config, storage, &mut on_tensor).map(drop)
}

fn sources(
    checkpoint: &Checkpoint,
    hooks: &Hooks,
) -> Result<std::collections::BTreeMap<String, String>, Error> {
    let paths = checkpoint.source_files()?;
    let digests = paths.into_iter().map(|(name, path)| Ok((name, sha256(&path, hooks)?)));
    digests.collect()
}

/// All that is in the file.
struct Whole<'a> {
    checkpoint: &'a Checkpoint,
    header: Vec<u8>,
    parts: Vec<Part<'a>>,
    /// What it will be called.
    out: &'a Path,
}

impl Whole<'_> {
    fn bytes(&self) -> u64 {
        self.header.len() as u64 + content_bytes(&self.parts)
    }

    /// Parts that are no other files.
    fn weights(&self) -> usize {
        self.parts.iter().filter(|part| !matches!(part.content, Content::File(_))).count()
    }

    fn write_to(&self, new: &mut NewFile, hooks: &Hooks) -> Result<(), Error> {
        let mut writer = BufWriter::new(new);
        self.write(&mut writer, hooks)?;
        writer.flush().map_err(|source| Error::Write { path: self.out.to_owned(), source })
    }

    fn write(&self, writer: &mut impl Write, hooks: &Hooks) -> Result<(), Error> {
        let mut put = |bytes: &[u8]| {
            let written = writer.write_all(bytes);
            written.map_err(|source| Error::Write { path: self.out.to_owned(), source })
        };
        let (mut written, total_bytes) = (self.header.len() as u64, self.bytes());
        let mut checksums = vec![checksum(&self.header)];
        put(&self.header)?;
        for part in &self.parts {
            hooks.check()?;
            part.with_bytes(self.checkpoint, |bytes| {
                checksums.push(checksum(bytes));
                put(bytes)
            })?;
            written += part.bytes() as u64;
            hooks.report(Progress::Convert { bytes: written, total_bytes });
        }
        put(&checksums.into_iter().flat_map(u64::to_le_bytes).collect::<Vec<_>>())
    }
}

/// Bytes of all tensors, the checksums too.
fn content_bytes(parts: &[Part]) -> u64 {
    (checksums_bytes(parts.len()) + parts.iter().map(Part::bytes).sum::<usize>()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that fails at one of the writes.
    struct Failing {
        writes_left: usize,
        written: Vec<u8>,
    }

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let left = self.writes_left.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
            self.writes_left = left;
            // As a disk may: not all of it at one time.
            let some = bytes.len().div_ceil(2);
            self.written.extend(&bytes[..some]);
            Ok(some)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_write_that_fails_is_an_error_whichever_it_is() {
        let folder =
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tiny-embedding"));
        let checkpoint = Checkpoint::open(folder, &Hooks::default()).unwrap();
        let parts = parts(&checkpoint, &ConvertOptions::default()).unwrap();
        let sources = sources(&checkpoint, &Hooks::default()).unwrap();
        let provenance = Provenance { kind: checkpoint.kind, sources };
        let header = portable::header(&provenance, infos(&parts));
        let (checkpoint, out) = (&checkpoint, Path::new("out"));
        let whole = Whole { checkpoint, header, parts, out };
        for writes_left in 0.. {
            let mut disk = Failing { writes_left, written: vec![] };
            match whole.write(&mut disk, &Hooks::default()) {
                Err(Error::Write { path, .. }) if path == out => {}
                Err(other) => panic!("{other}"),
                Ok(()) => {
                    assert_eq!(disk.written.len() as u64, whole.bytes());
                    assert!(writes_left > 2 * whole.parts.len());
                    return;
                }
            }
        }
    }
}
