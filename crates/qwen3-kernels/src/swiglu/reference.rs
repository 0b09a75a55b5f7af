//! SwiGLU in plain Burn operations.

use burn::tensor::{Tensor, activation::silu, backend::Backend};

/// See [`crate::swiglu()`].
pub fn swiglu<B: Backend>(gate: Tensor<B, 2>, up: Tensor<B, 2>) -> Tensor<B, 2> {
    silu(gate) * up
}
