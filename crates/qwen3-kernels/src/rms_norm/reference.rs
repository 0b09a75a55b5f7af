//! RMS norm in plain Burn operations.

use burn::tensor::{Tensor, backend::Backend};

/// See [`crate::Kernels::rms_norm`].
pub fn rms_norm<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 1>, epsilon: f64) -> Tensor<B, 2> {
    let mean_square = mean_of_rows(x.clone().powi_scalar(2)); // [T, 1]
    // Divided: ndarray's `recip` is the processor's 12-bit approximation.
    x / (mean_square + epsilon).sqrt() * weight.unsqueeze()
}

/// The mean of each row `[T, C]` as `[T, 1]`.
///
/// In two steps, because ndarray adds a row up in one long chain: over 1,024
/// columns that alone moved the norm by 8e-5.
pub(super) fn mean_of_rows<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let [rows, columns] = x.dims();
    let chunk =
        (1..=columns.isqrt()).rev().find(|width| columns.is_multiple_of(*width)).unwrap_or(1);
    let sums = x.reshape([rows, columns / chunk, chunk]).sum_dim(2); // [T, C/chunk, 1]
    sums.reshape([rows, columns / chunk]).sum_dim(1) / columns as f64
}
