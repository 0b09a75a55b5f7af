//! The gradient of linear layers on Burn Flex: products of matrices whose rows
//! and columns were exchanged in parallel.

use super::cpu::linears;
use crate::cpu::transposed::transposed;
use burn::tensor::{DType, Tensor};
use burn_flex::Flex;

/// See [`crate::Gradients::linear_input_gradient`].
pub(crate) fn input(output: Tensor<Flex, 2>, weight: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let dtype = weight.dtype();
    let [gradient] = linears(output, [transposed(weight, dtype).into()]);
    gradient
}

/// See [`crate::Gradients::linear_weight_gradient`].
pub(crate) fn weight(x: Tensor<Flex, 2>, output: Tensor<Flex, 2>, dtype: DType) -> Tensor<Flex, 2> {
    let dtype = if dtype == DType::BF16 { dtype } else { DType::F32 };
    let [gradient] = linears(transposed(output, DType::F32), [transposed(x, dtype).into()]);
    gradient
}
