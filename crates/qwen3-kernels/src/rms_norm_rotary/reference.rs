//! The norm of each head and its rotation in plain Burn operations.

use crate::rms_norm;
use burn::tensor::{Tensor, backend::Backend};

/// See [`crate::Kernels::rms_norm_rotary`].
pub fn rms_norm_rotary<B: Backend>(
    x: Tensor<B, 3>,
    weight: Tensor<B, 1>,
    epsilon: f64,
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
) -> Tensor<B, 3> {
    let [tokens, heads, width] = x.dims();
    let normed = rms_norm::reference::rms_norm(x.reshape([tokens * heads, width]), weight, epsilon);
    rotary_embedding(normed.reshape([tokens, heads, width]), cos, sin)
}

/// Each pair of each head `[T, H, D]`, rotated by its token's angle `[T, D/2]`.
pub fn rotary_embedding<B: Backend>(
    x: Tensor<B, 3>,
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
) -> Tensor<B, 3> {
    let half = x.dims()[2] / 2;
    let (cos, sin) = (cos.unsqueeze_dim(1), sin.unsqueeze_dim(1)); // [T, 1, D/2]
    let first = x.clone().narrow(2, 0, half); // [T, H, D/2]
    let second = x.narrow(2, half, half);
    let rotated_first = first.clone() * cos.clone() - second.clone() * sin.clone();
    let rotated_second = second * cos + first * sin;
    Tensor::cat(vec![rotated_first, rotated_second], 2) // [T, H, D]
}
