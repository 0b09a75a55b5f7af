//! Linear layers on Burn Flex, from weights in their own precision.

use super::product::{Input, Part, Weight, products};
use crate::buffers;
use crate::isa::Isa;
use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_flex::{Flex, FlexTensor};

/// See [`crate::linears()`]: all in one parallel pass over `x`.
pub(crate) fn linears<const N: usize>(
    x: Tensor<Flex, 2>,
    weights: [Tensor<Flex, 2>; N],
) -> [Tensor<Flex, 2>; N] {
    let [tokens, inputs] = x.dims();
    let x = contiguous(x);
    let weights = weights.map(contiguous);
    let mut outputs = weights.each_ref().map(|weight| {
        let [outputs, weight_inputs] = dims(weight);
        assert_eq!(inputs, weight_inputs, "linear: {inputs} columns, the weight {weight_inputs}");
        buffers::tensor([tokens, outputs])
    });
    let parts: Vec<Part> = weights
        .iter()
        .zip(&mut outputs)
        .map(|(weight, y)| Part::store(numbers(weight), dims(weight)[0], y.storage_mut()))
        .collect();
    products(Isa::best(), [tokens, inputs], Input::F32(x.storage()), &parts);
    drop(parts);
    outputs.map(|y| Tensor::from_primitive(TensorPrimitive::Float(y)))
}

/// See [`crate::linear_add()`]: in the residual's own memory.
pub(crate) fn linear_add(
    residual: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
) -> Tensor<Flex, 2> {
    let [tokens, inputs] = x.dims();
    let (mut y, x, weight) = (contiguous(residual), contiguous(x), contiguous(weight));
    let outputs = dims(&weight)[0];
    assert_eq!(dims(&y), [tokens, outputs], "linear_add: a residual of the sum's shape");
    let part = Part::add(numbers(&weight), outputs, y.storage_mut());
    products(Isa::best(), [tokens, inputs], Input::F32(x.storage()), &[part]);
    Tensor::from_primitive(TensorPrimitive::Float(y))
}

pub(crate) fn contiguous<const N: usize>(tensor: Tensor<Flex, N>) -> FlexTensor {
    tensor.into_primitive().tensor().to_contiguous()
}

/// `[out, in]` of a weight, `[T, columns]` of anything else.
pub(crate) fn dims(tensor: &FlexTensor) -> [usize; 2] {
    tensor.layout().shape().dims()
}

/// The numbers of a contiguous weight.
pub(crate) fn numbers(weight: &FlexTensor) -> Weight<'_> {
    match weight.dtype() {
        DType::F32 => Weight::F32(weight.storage()),
        DType::BF16 => Weight::Bf16(weight.storage()),
        DType::F16 => Weight::F16(weight.storage()),
        other => panic!("linear: a weight of dtype {other:?}"),
    }
}
