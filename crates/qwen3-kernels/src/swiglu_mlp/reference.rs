//! The feed-forward network of linear layers and plain Burn operations.

use crate::{Kernels, MatmulStrategy, Weight};
use burn::tensor::{Tensor, activation::silu, backend::Backend};

/// See [`crate::Kernels::swiglu_mlp`].
pub fn swiglu_mlp<B: Kernels>(
    residual: Tensor<B, 2>,
    x: Tensor<B, 2>,
    gate: Weight<B>,
    up: Weight<B>,
    down: Weight<B>,
    strategy: MatmulStrategy,
) -> Tensor<B, 2> {
    let [gate, up] = B::linears(x, [gate, up], strategy); // [T, F]
    B::linear_add(residual, swiglu(gate, up), down, strategy) // [T, C]
}

/// `silu(gate) · up`, element by element.
pub fn swiglu<B: Backend>(gate: Tensor<B, 2>, up: Tensor<B, 2>) -> Tensor<B, 2> {
    silu(gate) * up
}
