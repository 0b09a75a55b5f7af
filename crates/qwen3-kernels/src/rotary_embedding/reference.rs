//! Rotary position embedding in plain Burn operations.

use burn::tensor::{Tensor, backend::Backend};

/// See [`crate::rotary_embedding()`].
pub fn rotary_embedding<B: Backend>(
    x: Tensor<B, 3>,
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
) -> Tensor<B, 3> {
    let half = x.dims()[2] / 2;
    let (cos, sin) = (cos.unsqueeze_dim(1), sin.unsqueeze_dim(1)); // [T, 1, D/2]
    let first = x.clone().narrow(2, 0, half); // [T, H, D/2]
    let second = x.narrow(2, half, half);
    let turned_first = first.clone() * cos.clone() - second.clone() * sin.clone();
    let turned_second = second * cos + first * sin;
    Tensor::cat(vec![turned_first, turned_second], 2) // [T, H, D]
}
