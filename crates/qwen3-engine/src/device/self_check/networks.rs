//! Networks of generated weights, and batches to try them with.

use crate::device::{Loaded, Opened};
use crate::error::Error;
use crate::similarity::Similarity;
use qwen3::random::{self, Random, config};
use qwen3::weights::Stored;
use qwen3::{Config, Dtype, MatmulStrategy, PackedBatch, Rows, Storage, TensorFile, Weights};
use safetensors::tensor::TensorView;
use serde_json::json;
use std::ops::ControlFlow;
use std::path::Path;

/// A network, and sequences for it.
pub(crate) struct Generated {
    pub config: Config,
    pub weights: Weights,
    pub sequences: Vec<Vec<u32>>,
    rows: Rows,
}

impl Generated {
    /// Two with every feature of the real ones, in all rows of a long batch; and
    /// one as wide as they are.
    pub fn all() -> Result<Vec<Self>, Error> {
        Ok(vec![Self::of_heads(64)?, Self::of_heads(128)?, Self::wide()?])
    }

    /// Grouped heads of this width, which don't add up to the hidden size; linear
    /// layers whose inputs are an odd number of stages of 32; more than 1,024
    /// rows, of lengths around the sizes at which kernels change their ways.
    pub fn of_heads(width: usize) -> Result<Self, Error> {
        let [hidden, intermediate, layers, heads] = [160, 288, 2, 4];
        let mut config = config([hidden, intermediate, layers, heads], 256);
        config["head_dim"] = json!(width);
        config["num_key_value_heads"] = json!(2);
        Self::new(&config.to_string(), &[1, 2, 31, 32, 33, 33, 401, 501], Rows::All)
    }

    /// Two layers of the 0.6B model, since kernels are chosen by shape.
    pub fn wide() -> Result<Self, Error> {
        Self::new(&config([1024, 3072, 2, 16], 1024).to_string(), &[1, 16, 47], Rows::Last)
    }

    fn new(config: &str, lengths: &[usize], rows: Rows) -> Result<Self, Error> {
        let config = Config::from_json(config.as_bytes(), Path::new("self-check"))?;
        // Numbers that bfloat16 holds, so that rounding weights is no difference.
        let weights = random::weights(&config)?;
        let mut network = Self { config, weights, sequences: vec![], rows };
        let mut random = Random::new(7);
        network.sequences =
            lengths.iter().map(|&length| network.ids(length, &mut random)).collect();
        Ok(network)
    }

    pub fn ids(&self, length: usize, random: &mut Random) -> Vec<u32> {
        (0..length).map(|_| random.below(self.config.vocab_size as u32)).collect()
    }

    pub fn load(&self, device: &Opened, storage: Storage) -> Result<Loaded, Error> {
        let mut go_on = |_, _| ControlFlow::Continue(());
        device.load(&self.weights, &self.config, storage, &mut go_on)
    }

    /// The same network with matrices that were rounded to blocks, in float32 again: what
    /// computing from the blocks is compared with.
    ///
    /// # Errors
    /// If the dtype holds no such numbers.
    pub fn rounded_to(&self, dtype: Dtype) -> Result<Self, Error> {
        let storage = Storage::all(dtype, u64::MAX, MatmulStrategy::PlainUnits);
        let rounded =
            self.weights.tensors()?.into_iter().map(|Stored { name, shape, dtype, .. }| {
                let held = match shape {
                    [_, columns] => storage.dtype_of(dtype, *columns),
                    _ => Dtype::F32,
                };
                let data = self.weights.tensor(name, shape, held)?;
                let n = shape.iter().product();
                let mut numbers = vec![0.0; n];
                held.widen(&data.as_bytes()[..held.bytes_of(n)], &mut numbers);
                let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
                Ok((name, shape.to_vec(), bytes))
            });
        let rounded = rounded.collect::<Result<Vec<_>, qwen3::Error>>()?;
        let views = rounded.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
            (*name, view.expect("as many bytes as numbers"))
        });
        let file = safetensors::serialize(views, None).expect("names and shapes of a checkpoint");
        let weights = Weights::from_file(&TensorFile::from_bytes(file)?)?;
        let (config, sequences) = (self.config.clone(), self.sequences.clone());
        Ok(Self { config, weights, sequences, rows: self.rows })
    }

    /// The rows of its sequences, or of others.
    pub fn rows(
        &self,
        sequences: &[Vec<u32>],
        device: &Opened,
        dtype: Dtype,
        strategy: MatmulStrategy,
    ) -> Result<Vec<f32>, Error> {
        let storage = Storage::all(dtype, u64::MAX, strategy);
        let batch = PackedBatch::new(sequences, &self.config)?;
        self.load(device, storage)?.forward(&batch, self.rows, &|| false)
    }

    /// The worst cosine between two sets of rows; NaN if a number of them is,
    /// or if one has fewer.
    pub fn worst_cosine(&self, expected: &[f32], found: &[f32]) -> f64 {
        if expected.len() != found.len() {
            return f64::NAN;
        }
        let width = self.config.hidden_size;
        let pairs = expected.chunks(width).zip(found.chunks(width));
        pairs.map(|(a, b)| Similarity::Cosine.of(a, b)).fold(1.0, lesser)
    }
}

/// The lesser of two; NaN if one of them is.
pub(super) fn lesser(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}
