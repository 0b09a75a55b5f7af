//! What the tests of the whole path share: fixtures, devices, differences.

use qwen3_engine::{DeviceChoice, DtypeChoice, Embedder, Options, Reranker, devices};
use serde::de::DeserializeOwned;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The folder of a fixture.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The references that may stand beside the repository, for tests that can use them.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(name);
    path.exists().then_some(path)
}

/// A JSON file.
pub fn json<T: DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The device names of this build that have a device here. Those without one
/// are named on standard error, in one line each.
pub fn devices_here() -> Vec<&'static str> {
    let (found, absent) = devices();
    for absent in absent {
        eprintln!("skipped: no `{}` device here ({})", absent.name, absent.reason);
    }
    let mut names: Vec<_> = found.iter().map(|device| device.id.name()).collect();
    names.dedup();
    names
}

/// Options for a device and a dtype by their names.
pub fn options(device: &str, dtype: &str) -> Options {
    Options {
        device: device.parse::<DeviceChoice>().unwrap(),
        dtype: dtype.parse::<DtypeChoice>().unwrap(),
        ..Options::default()
    }
}

/// A fixture as an embedding model.
pub fn embedder(name: &str, device: &str, dtype: &str) -> Embedder {
    let folder = fixture(name);
    Embedder::load(folder.to_str().unwrap(), &options(device, dtype)).unwrap()
}

/// A fixture as a reranker.
pub fn reranker(name: &str, device: &str, dtype: &str) -> Reranker {
    let folder = fixture(name);
    Reranker::load(folder.to_str().unwrap(), &options(device, dtype)).unwrap()
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
