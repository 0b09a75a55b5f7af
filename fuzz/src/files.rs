//! Targets that read files, since what they fuzz takes paths.

use qwen3::index::files_of_index;
use qwen3_engine::{Checkpoint, EmbedderHost, Hooks, Options, RerankerHost};
use safetensors::SafeTensors;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

/// Gone when the process ends in peace.
static SCRATCH: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

/// The files of a model's folder that may be another's.
const NAMES: [&str; 9] = [
    "config.json",
    "tokenizer.json",
    "modules.json",
    "1_Pooling/config.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "model.safetensors.index.json",
];

/// A fixture's folder.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

/// `model.safetensors.index.json`: whatever it names is beside it.
pub fn index(data: &[u8]) {
    let path = SCRATCH.path().join("model.safetensors.index.json");
    fs::write(&path, data).expect("the folder is ours");
    for file in files_of_index(&path).unwrap_or_default() {
        let beside = SCRATCH.path().join(&file);
        assert_eq!(beside.parent(), Some(SCRATCH.path()), "{file:?}");
        assert!(beside.file_name().is_some_and(|name| name == file.as_str()), "{file:?}");
    }
}

/// A tiny model of which one file is another: its name, a line break, its content.
pub fn folder(data: &[u8]) {
    let Some(end) = data.iter().position(|&byte| byte == b'\n') else { return };
    let (name, content) = (&data[..end], &data[end + 1..]);
    let Some(name) = NAMES.into_iter().find(|known| known.as_bytes() == name) else { return };
    let model = SCRATCH.path().join("model");
    if !model.exists() {
        copy(&fixture("tiny-embedding"), &model);
    }
    let (path, original) = (model.join(name), fixture("tiny-embedding").join(name));
    fs::write(&path, content).expect("the folder is ours");
    open(&model);
    match original.exists() {
        true => drop(fs::copy(original, path).expect("the folder is ours")),
        false => fs::remove_file(path).expect("the folder is ours"),
    }
}

/// The files that are read when a model is opened.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("1_Pooling")).expect("the folder is ours");
    for name in NAMES.into_iter().chain(["model.safetensors"]) {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).expect("the folder is ours");
        }
    }
}

/// A portable file. Its checksums are made right, since a fuzzer never would.
pub fn portable(data: &[u8]) {
    let mut file = data.to_owned();
    seal(&mut file);
    let path = SCRATCH.path().join("portable");
    fs::write(&path, file).expect("the folder is ours");
    open(&path);
}

/// Everything that is read of a model before its weights go to a device.
fn open(model: &Path) {
    let Ok(checkpoint) = Checkpoint::open(model, &Hooks::default()) else { return };
    let _ = (checkpoint.provenance(), checkpoint.source_files(), checkpoint.dtype());
    let options = Options::default();
    let _ = EmbedderHost::from_checkpoint(&checkpoint, &options).map(|host| host.limit());
    let _ = RerankerHost::from_checkpoint(&checkpoint, &options).map(|host| host.limit());
}

/// Fills the last tensor with the checksums of all before it.
fn seal(file: &mut [u8]) -> Option<()> {
    let (header_bytes, header) = SafeTensors::read_metadata(file).ok()?;
    let start = size_of::<u64>() + header_bytes;
    let tensors = header.tensors();
    let offset_keys = header.offset_keys();
    let data = offset_keys.iter().map(|name| {
        let (from, to) = tensors[name].data_offsets;
        start + from..start + to
    });
    let mut ranges: Vec<_> = std::iter::once(0..start).chain(data).collect();
    let last = ranges.pop()?;
    let checksums: Vec<u8> =
        ranges.into_iter().flat_map(|range| xxh3_64(&file[range]).to_le_bytes()).collect();
    file.get_mut(last).filter(|last| last.len() == checksums.len())?.copy_from_slice(&checksums);
    Some(())
}
