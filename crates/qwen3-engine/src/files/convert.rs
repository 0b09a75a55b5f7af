//! A checkpoint to a portable file ([`super::portable`]).

mod parts;

use super::portable::{self, Portable, Provenance, checksum};
use super::{Checkpoint, NewFile, Source, sha256};
use crate::choices::{DtypeChoice, Kind};
use crate::device::self_check::reference_device;
use crate::error::Error;
use crate::options::setters;
use crate::progress::{Hooks, Progress};
use parts::{Content, Part, blocks, content_bytes, infos, parts};
use qwen3::{Dtype, MatmulStrategy, ScoreHead, Storage};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// What [`convert`] may choose.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConvertOptions {
    /// Dtype of the matrices; `Auto`: as they are stored. Norms, biases
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

/// Writes `model` as one file; see [`Checkpoint::convert`].
///
/// # Errors
/// If the model can't be found or opened, and as [`Checkpoint::convert`].
pub fn convert(
    model: impl Into<Source>,
    out: impl AsRef<Path>,
    options: &ConvertOptions,
) -> Result<Converted, Error> {
    // Before a download of gigabytes.
    drop(create(out.as_ref(), options.force)?);
    Checkpoint::open(model, &options.hooks)?.convert(out, options)
}

impl Checkpoint {
    /// Writes the model as one file `out` that is loaded where a folder is: all
    /// weights, the side files, and the SHA-256 of what it was made of. The file
    /// appears when it is complete and verified, or not at all.
    ///
    /// # Errors
    /// If the model doesn't load, a number of it is NaN or infinity or doesn't fit the dtype,
    /// `out` is there and not to be replaced, is a file of the model or called `.gguf`, or the
    /// disk is full.
    pub fn convert(
        &self,
        out: impl AsRef<Path>,
        options: &ConvertOptions,
    ) -> Result<Converted, Error> {
        let (out, hooks) = (out.as_ref(), &options.hooks);
        let mut new = create(out, options.force)?;
        let parts = parts(self, options.dtype, options.trim_head)?;
        check_target(self, &parts, &new, out)?;
        check_loads(self, hooks)?;
        self.check_numbers(hooks)?;
        let provenance = Provenance { kind: self.kind, sources: sources(self, hooks)? };
        let header = portable::header(&provenance, infos(&parts), blocks(&parts));
        let whole = Whole { checkpoint: self, header, parts, out };
        whole.write_to(&mut new, hooks)?;
        self.check_unchanged()?;
        publish(new, out, options.force)?;
        let total_bytes = whole.bytes();
        hooks.report(Progress::Convert { bytes: total_bytes, total_bytes });
        Ok(Converted { bytes: total_bytes, tensors: whole.weights(), provenance })
    }
}

/// The file to be, before anything is read that takes long.
fn create(out: &Path, force: bool) -> Result<NewFile, Error> {
    if out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf")) {
        return Err(Error::GgufOut { path: out.to_owned() });
    }
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

/// A checkpoint that doesn't load gives no file: its config may belong to other weights.
fn check_loads(checkpoint: &Checkpoint, hooks: &Hooks) -> Result<(), Error> {
    let Some(device) = reference_device() else { return Ok(()) };
    let dtype = checkpoint.weights.dtype()?;
    let as_stored = dtype.is_blocks().then_some(Dtype::F32);
    let plain = Storage::all(dtype, u64::MAX, MatmulStrategy::PlainUnits);
    let storage = Storage { as_stored, ..plain };
    let mut on_tensor = |_, _| hooks.go_on();
    let config = &checkpoint.config;
    if checkpoint.kind == Kind::SequenceClassification {
        ScoreHead::sequence_classification(&checkpoint.weights, config)?;
    }
    device.load(&checkpoint.weights, config, storage, &mut on_tensor).map(drop)
}

/// The SHA-256 of a model's files; of a part of the program, of those that it was made of.
fn sources(
    checkpoint: &Checkpoint,
    hooks: &Hooks,
) -> Result<std::collections::BTreeMap<String, String>, Error> {
    if let (None, Some(provenance)) = (checkpoint.path(), checkpoint.provenance()) {
        return Ok(provenance.sources.clone());
    }
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

#[cfg(test)]
mod tests;
