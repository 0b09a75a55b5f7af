//! The linear layer on Burn Flex, from weights in their own precision.

use super::product::{Weight, product};
use crate::isa::Isa;
use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_flex::{Flex, FlexTensor};

/// See [`crate::linear()`].
pub(crate) fn linear(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
    bias: Option<Tensor<Flex, 1>>,
) -> Tensor<Flex, 2> {
    let [tokens, inputs] = x.dims();
    let [outputs, weight_inputs] = weight.dims();
    assert_eq!(inputs, weight_inputs, "linear: x has {inputs} columns, the weight {weight_inputs}");

    let x = x.into_primitive().tensor().to_contiguous();
    let weight = weight.into_primitive().tensor().to_contiguous();
    let mut y = FlexTensor::empty([tokens, outputs].into(), DType::F32);
    let shape = [tokens, inputs, outputs];
    let numbers = match weight.dtype() {
        DType::F32 => Weight::F32(weight.storage()),
        DType::BF16 => Weight::Bf16(weight.storage()),
        DType::F16 => Weight::F16(weight.storage()),
        other => panic!("linear: a weight of dtype {other:?}"),
    };
    product(Isa::best(), shape, x.storage(), numbers, y.storage_mut());
    let y = Tensor::from_primitive(TensorPrimitive::Float(y));
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}
