//! Data, runs and results that tests share.

use qwen3_engine::{DeviceChoice, Embedder, EncodeOptions, Options, devices};
use qwen3_train::{Event, Length, Record, Run, Settings};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::TempDir;

/// The folder of a tiny checkpoint.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

/// Writes rows as lines of JSON.
pub fn jsonl(path: &Path, rows: impl IntoIterator<Item = Value>) -> PathBuf {
    let lines: String = rows.into_iter().map(|row| format!("{row}\n")).collect();
    fs::write(path, lines).unwrap();
    path.to_owned()
}

/// Writes float32 rows as NumPy does.
pub fn npy(path: &Path, rows: &[Vec<f32>]) -> PathBuf {
    let (n, width) = (rows.len(), rows[0].len());
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, {width}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    let numbers: Vec<u8> = rows.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
    let file = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &numbers].concat();
    fs::write(path, file).unwrap();
    path.to_owned()
}

/// Steps of so many examples, in one thread.
pub fn settings(batch_size: usize, steps: u64, learning_rate: f64) -> Settings {
    let mut settings = Settings::new(batch_size, learning_rate);
    settings.length = Length::Steps(steps);
    settings.measure_every = steps;
    settings
}

/// A run on a device.
pub fn run(model: &str, out: &Path, settings: Settings, device: &str) -> Run {
    let device: DeviceChoice = device.parse().unwrap();
    Run::new(fixture(model), out, settings, Options::default().device(device).threads(Some(2)))
}

/// A folder, and a path in it where nothing is.
pub fn out() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    (folder, out)
}

/// What a run has told of its steps.
#[derive(Default)]
pub struct Seen(pub Mutex<Vec<Record>>);

impl Seen {
    pub fn hear(&self, event: &Event) {
        if let Event::Step { record, .. } = event {
            self.0.lock().unwrap().push((*record).clone());
        }
    }

    /// The losses of all steps.
    pub fn losses(&self) -> Vec<f64> {
        self.0.lock().unwrap().iter().filter_map(|record| record.loss).collect()
    }

    /// A measure at the first look at held-out data and at the last one.
    pub fn before_and_after(&self, measure: &str) -> [f64; 2] {
        let records = self.0.lock().unwrap();
        let mut looks = records.iter().filter_map(|record| record.held_out.get(measure));
        let first = *looks.next().unwrap();
        [first, looks.next_back().copied().unwrap_or(first)]
    }
}

/// The devices here that training is tested on.
pub fn devices_here() -> Vec<&'static str> {
    let names = devices().found.into_iter().map(|device| device.id.name());
    let mut names: Vec<&str> = names.filter(|name| ["cpu", "vulkan"].contains(name)).collect();
    names.dedup();
    if !names.contains(&"vulkan") {
        eprintln!("skipped: no `vulkan` device here");
    }
    names
}

/// A model on the processor, in float32.
pub fn load_f32(model: &Path) -> Embedder {
    let options = Options::default()
        .device("cpu".parse::<DeviceChoice>().unwrap())
        .dtype(qwen3_engine::Dtype::F32);
    Embedder::load(model, &options).unwrap()
}

/// The vectors of texts on the processor, in float32.
pub fn vectors(model: &Path, texts: &[&str]) -> Vec<Vec<f32>> {
    let embeddings = load_f32(model).encode(texts, &EncodeOptions::default()).unwrap();
    embeddings.into_iter().map(|embedding| embedding.vector).collect()
}

/// Bytes of a result.
pub fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    let path = folder.join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
