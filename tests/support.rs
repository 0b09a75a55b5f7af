//! What the tests of the whole path share: fixtures, devices, differences.

pub mod training_reference;

use qwen3_engine::{
    DeviceChoice, Devices, DtypeChoice, Embedder, EncodeOptions, Error, Options, RankOptions,
    Reranker, devices,
};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The folder of a fixture.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Reads a JSON file.
pub fn json<T: DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The device names of this build that have a device here. Those without one
/// are named on standard error, in one line each.
pub fn devices_here() -> Vec<&'static str> {
    let Devices { found, absent, .. } = devices();
    for absent in absent {
        eprintln!("skipped: no `{}` device here ({})", absent.name, absent.reason);
    }
    let mut names: Vec<_> = found.iter().map(|device| device.id.name()).collect();
    names.dedup();
    names
}

/// Options for a device and a dtype by their names.
pub fn options(device: &str, dtype: &str) -> Options {
    Options::default()
        .device(device.parse::<DeviceChoice>().unwrap())
        .dtype(dtype.parse::<DtypeChoice>().unwrap())
}

/// A fixture as an embedding model.
pub fn embedder(name: &str, device: &str, dtype: &str) -> Embedder {
    let folder = fixture(name);
    Embedder::load(folder, &options(device, dtype)).unwrap()
}

/// A fixture as a reranker.
pub fn reranker(name: &str, device: &str, dtype: &str) -> Reranker {
    let folder = fixture(name);
    Reranker::load(folder, &options(device, dtype)).unwrap()
}

/// The token ids of one text.
pub fn ids(model: &Embedder, text: &str, options: &EncodeOptions) -> Vec<u32> {
    model.tokenize([text], options).unwrap().remove(0).input_ids
}

/// A copy of a fixture, changed.
pub fn changed(name: &str, change: impl FnOnce(&Path)) -> TempDir {
    let folder = TempDir::new().unwrap();
    copy(&fixture(name), folder.path());
    change(folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// A tensor as it is stored.
#[derive(Clone)]
pub struct Stored {
    /// How its numbers are stored.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, little-endian.
    pub data: Vec<u8>,
}

/// Changes the tensors of a safetensors file.
pub fn rewrite(path: &Path, change: impl FnOnce(&mut BTreeMap<String, Stored>)) {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let stored = file.iter().map(|(name, view)| {
        let (dtype, shape, data) = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
        (name.to_owned(), Stored { dtype, shape, data })
    });
    let mut tensors: BTreeMap<String, Stored> = stored.collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, Stored { dtype, shape, data })| {
        (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// The vectors that the model in `folder` gives to these texts, or why it gives none.
pub fn vectors(folder: &Path, texts: &[&str]) -> Result<Vec<Vec<f32>>, Error> {
    let model = Embedder::load(folder, &options("cpu", "auto"))?;
    let embeddings = model.encode(texts, &EncodeOptions::default())?;
    Ok(embeddings.into_iter().map(|embedding| embedding.vector).collect())
}

/// The log-odds that the model in `folder` gives to these pairs, or why it gives none.
pub fn log_odds(folder: &Path, pairs: &[(&str, &str)]) -> Result<Vec<f64>, Error> {
    let model = Reranker::load(folder, &options("cpu", "auto"))?;
    let scores = model.score(pairs.iter().copied(), &RankOptions::default())?;
    Ok(scores.into_iter().map(|score| score.log_odds).collect())
}

/// What an error and its causes say.
pub fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Largest absolute difference.
pub fn max_difference(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len(), "vectors of different lengths");
    left.iter()
        .zip(right)
        .map(|(l, r)| (l - r).abs())
        .fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a })
}

/// Cosine of the angle between two vectors.
pub fn cosine(left: &[f32], right: &[f32]) -> f64 {
    qwen3_engine::Similarity::Cosine.of(left, right)
}
