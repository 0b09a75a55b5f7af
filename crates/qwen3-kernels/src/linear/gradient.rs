//! The gradient of the linear layer: two more products, by the backend's own kernel.

use crate::{Kernels, MatmulStrategy};
use burn::tensor::{DType, Tensor};

/// See [`crate::Gradients::linear_input_gradient`].
pub fn input<B: Kernels>(
    output: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    strategy: MatmulStrategy,
) -> Tensor<B, 2> {
    let [gradient] = B::linears(output, [weight.transpose().into()], strategy);
    gradient
}

/// See [`crate::Gradients::linear_weight_gradient`].
pub fn weight<B: Kernels>(
    x: Tensor<B, 2>,
    output: Tensor<B, 2>,
    dtype: DType,
    strategy: MatmulStrategy,
) -> Tensor<B, 2> {
    let [gradient] =
        B::linears(output.transpose(), [B::rounded(x.transpose(), dtype).into()], strategy);
    gradient
}
