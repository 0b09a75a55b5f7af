//! An adapter and its base become one model.

use super::model::{ModelFolder, stored};
use super::peft::{CONFIG, WEIGHTS, WRAPPED};
use super::remove_adapter;
use crate::error::Error;
use qwen3_engine::internals::training::{TensorFile, Weights, name, weights};
use qwen3_engine::{Checkpoint, DtypeChoice, Hooks, Source};
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A base and an adapter of it, in PEFT's layout.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The model that the adapter was trained on.
    pub model: Source,
    /// The adapter's folder.
    pub adapter: PathBuf,
    /// The folder that is written.
    pub out: PathBuf,
    /// Precision of the weights; `Auto`: as the base stores them.
    pub save_dtype: DtypeChoice,
    /// Replace what is in the folder.
    pub force: bool,
    /// Progress of a download, and cancelling.
    pub hooks: Hooks,
}

/// What was merged.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Merged {
    /// Layers that the adapter has changed.
    pub layers: usize,
    /// Its rank.
    pub rank: usize,
}

impl Merge {
    /// Writes `weight + alpha / rank · B · A` for each layer that the adapter has, computed
    /// in float32 one tensor at a time, and everything else as it is.
    ///
    /// # Errors
    /// If the adapter is none of LoRA or doesn't fit the base, or a file can't be read
    /// or written.
    pub fn run(&self) -> Result<Merged, Error> {
        let source = Checkpoint::open(&self.model, &self.hooks)?;
        let adapter = Adapter::open(&self.adapter)?;
        let layers = adapter.check(&source)?;
        self.prepare(&source)?;
        let weights = weights(&source);
        let shapes = shapes(weights)?;
        ModelFolder::new(&source, self.save_dtype).write(&self.out, |name| {
            if self.hooks.cancel.is_cancelled() {
                return Err(qwen3_engine::Error::Cancelled.into());
            }
            let shape = &shapes[name];
            let mut values = stored(weights, name, shape)?;
            if let Some(pair) = name.strip_suffix(".weight").and_then(|at| adapter.pairs.get(at)) {
                pair.add_to(&mut values, adapter.scale);
            }
            Ok(values)
        })?;
        remove_adapter(&self.out);
        Ok(Merged { layers, rank: adapter.rank })
    }

    fn prepare(&self, source: &Checkpoint) -> Result<(), Error> {
        let path = self.out.clone();
        let failed = |source| Error::Write { path: self.out.clone(), source };
        fs::create_dir_all(&self.out).map_err(failed)?;
        let same = |other: &Path| Some(self.out.canonicalize().ok()? == other.canonicalize().ok()?);
        if source.path().and_then(same) == Some(true) || same(&self.adapter) == Some(true) {
            return Err(Error::OwnSource { path });
        }
        let is_empty = fs::read_dir(&self.out).map_err(failed)?.next().is_none();
        if is_empty || self.force { Ok(()) } else { Err(Error::Exists { path }) }
    }
}

fn shapes(weights: &Weights) -> Result<BTreeMap<String, Vec<usize>>, Error> {
    let tensors = weights.tensors().map_err(qwen3_engine::Error::from)?;
    Ok(tensors.into_iter().map(|tensor| (tensor.name.to_owned(), tensor.shape.to_vec())).collect())
}

/// What `adapter_config.json` says of how an adapter counts.
#[derive(Deserialize)]
struct Config {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Settings of other kinds of adapters, which change what is computed.
const OTHER_KINDS: [&str; 8] = [
    "alpha_pattern",
    "fan_in_fan_out",
    "layer_replication",
    "lora_bias",
    "modules_to_save",
    "rank_pattern",
    "use_dora",
    "use_qalora",
];

/// An adapter in memory: it is small.
struct Adapter {
    path: PathBuf,
    rank: usize,
    scale: f64,
    /// By the path of the layer in the network, such as `layers.0.self_attn.q_proj`.
    pairs: BTreeMap<String, Pair>,
}

/// `A` `[rank, in]` and `B` `[out, rank]`.
struct Pair {
    a: Matrix,
    b: Matrix,
}

struct Matrix {
    shape: [usize; 2],
    values: Vec<f32>,
}

impl Pair {
    /// Adds `scale · B · A` to a weight `[out, in]`.
    fn add_to(&self, weight: &mut [f32], scale: f64) {
        let [rank, columns] = self.a.shape;
        for (row, b) in weight.chunks_mut(columns).zip(self.b.values.chunks(rank)) {
            let mut sums = vec![0f32; columns];
            for (&b, a) in b.iter().zip(self.a.values.chunks(columns)) {
                sums.iter_mut().zip(a).for_each(|(sum, a)| *sum += b * a);
            }
            row.iter_mut().zip(sums).for_each(|(weight, sum)| *weight += sum * scale as f32);
        }
    }
}

impl Adapter {
    fn open(folder: &Path) -> Result<Self, Error> {
        let (rank, scale) = Self::config(&folder.join(CONFIG))?;
        let path = folder.join(WEIGHTS);
        let wrong = |what: String| Error::Adapter { path: path.clone(), what };
        let file = TensorFile::open(&path).map_err(qwen3_engine::Error::from)?;
        let file =
            SafeTensors::deserialize(file.bytes()).map_err(|error| wrong(error.to_string()))?;
        let mut halves: BTreeMap<String, [Option<Matrix>; 2]> = BTreeMap::new();
        for (key, view) in file.iter() {
            let inner = key.strip_prefix(WRAPPED).unwrap_or(key);
            let inner = inner.strip_prefix("model.").unwrap_or(inner);
            let half =
                [".lora_A.weight", ".lora_B.weight"].iter().position(|end| inner.ends_with(end));
            let Some(half) = half else {
                return Err(wrong(format!("`{key}` is no matrix of LoRA")));
            };
            let layer = &inner[..inner.len() - ".lora_A.weight".len()];
            let matrix = matrix(&view).ok_or_else(|| {
                wrong(format!("`{key}` is no matrix of float32, float16 or bfloat16"))
            })?;
            halves.entry(layer.to_owned()).or_default()[half] = Some(matrix);
        }
        let mut pairs = BTreeMap::new();
        for (layer, halves) in halves {
            let [Some(a), Some(b)] = halves else {
                return Err(wrong(format!("`{layer}` has one of its two matrices")));
            };
            if a.shape[0] != rank || b.shape[1] != rank {
                return Err(wrong(format!(
                    "`{layer}` has matrices {:?} and {:?}, and its config says rank {rank}",
                    a.shape, b.shape
                )));
            }
            pairs.insert(layer, Pair { a, b });
        }
        match pairs.is_empty() {
            true => Err(wrong("it has no layer".to_owned())),
            false => Ok(Self { path, rank, scale, pairs }),
        }
    }

    /// The rank, and what the product counts.
    fn config(path: &Path) -> Result<(usize, f64), Error> {
        let wrong = |what: String| Error::Adapter { path: path.to_owned(), what };
        let json =
            fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let config: Config =
            serde_json::from_slice(&json).map_err(|error| wrong(error.to_string()))?;
        if config.peft_type != "LORA" || config.r == 0 {
            return Err(wrong(format!(
                "it is `{}` of rank {}, not LoRA",
                config.peft_type, config.r
            )));
        }
        let is_used = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(values) => !values.is_empty(),
            Value::Object(values) => !values.is_empty(),
            Value::String(text) => text != "none",
            _ => true,
        };
        let used = |name: &&&str| config.others.get(**name).is_some_and(is_used);
        if let Some(other) = OTHER_KINDS.iter().chain([&"bias"]).find(used) {
            return Err(wrong(format!(
                "it has `{other}`, which isn't computed here; merge it with PEFT's `merge_and_unload`"
            )));
        }
        let rank = config.r as f64;
        Ok((config.r, config.lora_alpha / if config.use_rslora { rank.sqrt() } else { rank }))
    }

    /// How many layers of `source` it changes.
    fn check(&self, source: &Checkpoint) -> Result<usize, Error> {
        let wrong = |what: String| Error::OtherBase {
            path: self.path.clone(),
            model: name(source).to_owned(),
            what,
        };
        let shapes = shapes(weights(source))?;
        let unknown: BTreeSet<&String> = self
            .pairs
            .keys()
            .filter(|layer| !shapes.contains_key(&format!("{layer}.weight")))
            .collect();
        if let Some(layer) = unknown.first() {
            return Err(wrong(format!("the model has no layer `{layer}`")));
        }
        for (layer, Pair { a, b }) in &self.pairs {
            let found = &shapes[&format!("{layer}.weight")];
            let expected = [b.shape[0], a.shape[1]];
            if found[..] != expected {
                return Err(wrong(format!(
                    "`{layer}` has the shape {found:?}, and the adapter is for {expected:?}"
                )));
            }
        }
        Ok(self.pairs.len())
    }
}

fn matrix(view: &safetensors::tensor::TensorView) -> Option<Matrix> {
    let shape: [usize; 2] = view.shape().try_into().ok()?;
    let bytes = view.data();
    let halves = || bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
    let values = match view.dtype() {
        safetensors::Dtype::F32 => {
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        }
        safetensors::Dtype::F16 => halves().map(|b| half::f16::from_le_bytes(b).to_f32()).collect(),
        safetensors::Dtype::BF16 => {
            halves().map(|b| half::bf16::from_le_bytes(b).to_f32()).collect()
        }
        _ => return None,
    };
    Some(Matrix { shape, values })
}
