//! The gradient of `silu(gate) · up` in plain Burn operations.

use burn::tensor::{Tensor, activation::sigmoid, backend::Backend};

/// With `s = sigmoid(gate)`, the derivative of `silu` is `s · (1 + gate · (1 − s))`.
///
/// See [`crate::Gradients::swiglu_gradient`].
pub fn swiglu<B: Backend>(
    gate: Tensor<B, 2>,
    up: Tensor<B, 2>,
    output: Tensor<B, 2>,
) -> [Tensor<B, 2>; 2] {
    let sigmoid = sigmoid(gate.clone());
    let silu = gate.clone() * sigmoid.clone();
    let slope = sigmoid.clone() + silu.clone() * (-sigmoid + 1.0);
    [output.clone() * up * slope, output * silu]
}
