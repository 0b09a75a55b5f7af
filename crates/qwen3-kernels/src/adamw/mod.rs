//! The optimiser's step.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
pub mod reference;

use burn::tensor::{Tensor, backend::Backend};

/// AdamW with decoupled weight decay (Loshchilov and Hutter 2019,
/// arXiv:1711.05101, algorithm 2), as PyTorch computes it:
///
/// ```text
///   θ ← θ − learning_rate · weight_decay · θ
///   m ← beta_1 · m + (1 − beta_1) · g
///   v ← beta_2 · v + (1 − beta_2) · g²
///   θ ← θ − learning_rate · (m / (1 − beta_1ᵗ)) / (√(v / (1 − beta_2ᵗ)) + epsilon)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Of this step, after its schedule.
    pub learning_rate: f64,
    /// How fast the mean of gradients forgets.
    pub beta_1: f64,
    /// How fast the mean of their squares forgets.
    pub beta_2: f64,
    /// Keeps the quotient finite.
    pub epsilon: f64,
    /// Zero for norms and biases.
    pub weight_decay: f64,
    /// What gradients are multiplied with first, so that they keep to a largest norm.
    pub gradient_scale: f64,
    /// `t`, the number of this step, from 1.
    pub step: u32,
}

/// Running means `[N]` of the gradients of a parameter.
#[derive(Clone, Debug)]
pub struct Moments<B: Backend> {
    /// `m`, of the gradients.
    pub first: Tensor<B, 1>,
    /// `v`, of their squares.
    pub second: Tensor<B, 1>,
}

impl AdamW {
    /// `1 − beta_1ᵗ` and `1 − beta_2ᵗ`: the means begin with zeros.
    pub(crate) fn bias_corrections(&self) -> [f64; 2] {
        [self.beta_1, self.beta_2].map(|beta| 1.0 - beta.powi(self.step as i32))
    }
}
