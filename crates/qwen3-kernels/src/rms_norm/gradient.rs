//! The gradient of RMS norm in plain Burn operations.

use super::reference::mean_of_rows;
use burn::tensor::{Tensor, backend::Backend};

/// With `n = x / rms(x)`, the gradient of `n` is `g = output · weight`; that of `x` is
/// `(g − n · mean(g · n)) / rms(x)`, that of `weight` the sum of `output · n`.
///
/// See [`crate::Gradients::rms_norm_gradient`].
pub fn rms_norm<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
    output: Tensor<B, 2>,
) -> (Tensor<B, 2>, Tensor<B, 1>) {
    let rms = (mean_of_rows(x.clone().powi_scalar(2)) + epsilon).sqrt(); // [T, 1]
    let normed = x / rms.clone();
    let of_weight = (output.clone() * normed.clone()).sum_dim(0).flatten(0, 1);
    let of_normed = output * weight.unsqueeze();
    let along = mean_of_rows(of_normed.clone() * normed.clone());
    ((of_normed - normed * along) / rms, of_weight)
}
