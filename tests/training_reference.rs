//! What PyTorch computed in training, as `fixtures/make_training.py` writes it
//! below `fixtures/training/`. `fixtures/README.md` has the formulas.
//!
//! ```no_run
//! use e2e::training_reference::TrainingReference;
//!
//! let reference = TrainingReference::read("tiny-embedding");
//! let loss = &reference.losses["info_nce"];
//! let gradients = reference.gradients("info_nce");
//! let gradient = &gradients["layers.0.self_attn.q_proj.weight"];
//! let allowed = 10.0 * loss.float32_differences["layers.0.self_attn.q_proj.weight"];
//! println!("{} {:?} {allowed}", loss.loss, gradient.shape);
//! ```
//!
//! The numbers were computed in float64. Tensors are stored in float32, which
//! rounds them by up to 6e-8 of each number. The functions panic where a file
//! isn't as the script writes it, and where a name isn't in it.

use crate::{fixture, json};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// All that was computed of one checkpoint, or of the adapter in `lora`.
#[derive(Debug, Deserialize)]
pub struct TrainingReference {
    /// The tokens of each text or prompt. An embedding model's are
    /// `embedding.n_pairs` queries, then as many positives, then the negatives:
    /// all those of the first pair, all those of the second, and so on.
    pub input_ids: Vec<Vec<u32>>,
    /// Losses by name: `linear`, `info_nce`, `info_nce_all_documents` and
    /// `distil` of embedding models, `yes_no` of rerankers.
    pub losses: BTreeMap<String, Loss>,
    /// What the losses of pairs and targets were computed with, if there are any.
    pub embedding: Option<EmbeddingSettings>,
    /// What the loss of a reranker was computed with.
    pub reranker: Option<RerankerSettings>,
    /// Ten steps of AdamW, if the checkpoint was trained.
    pub adamw: Option<AdamW>,
    /// Rows of `embed_tokens.weight` and `lm_head.weight`.
    #[serde(default)]
    n_table_rows: usize,
    /// Their rows that have a gradient, by the end of the tensor's name.
    #[serde(default)]
    used_rows: BTreeMap<String, Vec<usize>>,
    #[serde(skip)]
    tensors: BTreeMap<String, Tensor>,
}

/// A loss and how well it is known.
#[derive(Debug, Deserialize)]
pub struct Loss {
    /// In float64.
    pub loss: f64,
    /// What PyTorch computes in float32.
    pub float32_loss: Option<f64>,
    /// By the parameters' names: how far PyTorch's gradient in float32 is from
    /// that in float64, as the largest difference to the largest number.
    #[serde(default)]
    pub float32_differences: BTreeMap<String, f64>,
}

/// The settings of `info_nce` and `distil`.
#[derive(Debug, Deserialize)]
pub struct EmbeddingSettings {
    /// Queries, and positives.
    pub n_pairs: usize,
    /// Negatives of each pair.
    pub n_negatives: usize,
    /// The lengths that vectors are cut to.
    pub dimensions: Vec<usize>,
    /// What similarities are divided by, in `distil` too.
    pub temperature: f64,
    /// A negative that is more similar than the positive by more doesn't count.
    pub margin: f64,
    /// The weight of the similarities in `distil`.
    pub similarity_weight: f64,
    /// The weight of their order in `distil`.
    pub ranking_weight: f64,
}

/// The settings of `yes_no`.
#[derive(Debug, Deserialize)]
pub struct RerankerSettings {
    /// The token of yes.
    pub yes_id: u32,
    /// The token of no.
    pub no_id: u32,
    /// What the probability of yes should be, of each prompt.
    pub target_probabilities: Vec<f64>,
}

/// The optimiser's settings and what it did.
#[derive(Debug, Deserialize)]
pub struct AdamW {
    /// The factors of the averages of gradients and of their squares.
    pub betas: [f64; 2],
    /// What is added to the square root.
    pub epsilon: f64,
    /// Decoupled weight decay, of the parameters in `decayed`.
    pub weight_decay: f64,
    /// The parameters with weight decay; those of norms have none.
    pub decayed: Vec<String>,
    /// The norm of all gradients together after clipping.
    pub max_grad_norm: f64,
    /// The learning rate after the warm-up.
    pub peak_learning_rate: f64,
    /// Steps of the warm-up.
    pub n_warmup_steps: usize,
    /// The last learning rate as a part of the peak.
    pub final_fraction: f64,
    /// By the loss that was trained: `distil`, `info_nce`.
    pub runs: BTreeMap<String, Run>,
}

/// Ten steps on one loss.
#[derive(Debug, Deserialize)]
pub struct Run {
    /// The steps in order.
    pub steps: Vec<Step>,
    /// What PyTorch computes in float32 before each step.
    pub float32_losses: Vec<f64>,
    /// What the rows of `embed_tokens.weight` without a gradient are multiplied
    /// by in all: weight decay is all that happens to them.
    pub unused_row_factor: f64,
    /// By the parameters' names: how far PyTorch's changes in float32 are from
    /// those in float64, as the largest difference to the largest change.
    pub float32_differences: BTreeMap<String, f64>,
}

/// One step.
#[derive(Debug, Deserialize)]
pub struct Step {
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// The loss before the step.
    pub loss: f64,
    /// The norm of all gradients together before clipping.
    pub grad_norm: f64,
}

/// A tensor in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub values: Vec<f32>,
}

impl TrainingReference {
    /// Reads the reference of a checkpoint by the name of its folder, or the
    /// adapter's, whose name is `lora`.
    pub fn read(name: &str) -> Self {
        let folder = fixture("training").join(name);
        let tensors = tensors(&folder.join("reference.safetensors"));
        Self { tensors, ..json(&folder.join("reference.json")) }
    }

    /// The last token of each text after the final norm, not normalised, [n, C].
    pub fn rows(&self) -> &Tensor {
        self.tensor("rows")
    }

    /// What the rows are multiplied by in the loss `linear`, [n, C].
    pub fn directions(&self) -> &Tensor {
        self.tensor("directions")
    }

    /// The unit vectors that `distil` learns, [n, C].
    pub fn targets(&self) -> &Tensor {
        self.tensor("targets")
    }

    /// The gradient of a loss by the [rows](Self::rows), [n, C]: it tests a loss
    /// without the network.
    pub fn row_gradient(&self, loss: &str) -> &Tensor {
        self.tensor(&format!("{loss}.rows"))
    }

    /// The gradients of a loss by the parameters' names in the checkpoint's
    /// files, of all parameters, in their shapes.
    pub fn gradients(&self, loss: &str) -> BTreeMap<String, Tensor> {
        let named = self.below(loss).filter(|(name, _)| *name != "rows");
        named.map(|(name, tensor)| (name.to_owned(), self.whole(name, tensor))).collect()
    }

    /// The parameters after the ten steps of a run on `loss`, by their names.
    /// `start` gives the parameter of a name as it is in the checkpoint.
    pub fn trained(
        &self,
        loss: &str,
        mut start: impl FnMut(&str) -> Vec<f32>,
    ) -> BTreeMap<String, Vec<f64>> {
        let run = self.adamw.as_ref().and_then(|adamw| adamw.runs.get(loss));
        let factor = run.unwrap_or_else(|| panic!("no run on `{loss}`")).unused_row_factor;
        let prefix = format!("adamw.{loss}");
        let after = |(name, change): (&str, &Tensor)| {
            let start: Vec<f64> = start(name).into_iter().map(f64::from).collect();
            let change = self.whole(name, change);
            assert_eq!(start.len(), change.values.len(), "numbers of `{name}`");
            let width = change.shape.last().copied().unwrap_or(1);
            let used = self.used_rows(name);
            let numbers = start.iter().zip(&change.values).enumerate();
            let trained = numbers.map(|(index, (start, change))| {
                let is_used = used.is_none_or(|rows| rows.contains(&(index / width)));
                if is_used { start + f64::from(*change) } else { start * factor }
            });
            (name.to_owned(), trained.collect())
        };
        self.below(&prefix).map(after).collect()
    }

    /// A tensor by its name in the file.
    fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("no tensor `{name}`"))
    }

    /// The tensors whose names begin with `prefix` and a point, without these.
    fn below(&self, prefix: &str) -> impl Iterator<Item = (&str, &Tensor)> {
        let prefix = format!("{prefix}.");
        let found: Vec<_> = self
            .tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(&prefix)?, tensor)))
            .collect();
        assert!(!found.is_empty(), "no tensor `{prefix}…`");
        found.into_iter()
    }

    /// The rows that are stored of a tensor, if they aren't all.
    fn used_rows(&self, name: &str) -> Option<&[usize]> {
        let table = self.used_rows.iter().find(|(table, _)| name.ends_with(*table))?;
        Some(table.1)
    }

    /// The tensor with zeros in the rows that aren't stored.
    fn whole(&self, name: &str, stored: &Tensor) -> Tensor {
        let Some(used) = self.used_rows(name) else { return stored.clone() };
        assert_eq!(stored.shape[0], used.len(), "rows of `{name}`");
        let width = stored.shape[1];
        let mut values = vec![0.0; self.n_table_rows * width];
        for (row, numbers) in used.iter().zip(stored.values.chunks_exact(width)) {
            values[row * width..(row + 1) * width].copy_from_slice(numbers);
        }
        Tensor { shape: vec![self.n_table_rows, width], values }
    }
}

fn tensors(path: &Path) -> BTreeMap<String, Tensor> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let tensor = |(name, view): (&str, safetensors::tensor::TensorView)| {
        assert_eq!(view.dtype(), Dtype::F32, "dtype of `{name}`");
        let numbers = view.data().chunks_exact(4);
        let values = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        (name.to_owned(), Tensor { shape: view.shape().to_vec(), values })
    };
    file.iter().map(tensor).collect()
}

#[cfg(test)]
mod tests;
