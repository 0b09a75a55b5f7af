//! Linear layers on Burn Flex, from weights in their own precision.

use crate::cpu::buffers;
use crate::cpu::gemm::{Input, Output, bf16, gemm, with_format};
use crate::cpu::isa::Isa;
use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_flex::{Flex, FlexTensor};

/// See [`crate::Kernels::linears`]: all in one parallel pass over `x`.
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
    let mut layers: Vec<(&FlexTensor, &mut FlexTensor)> =
        weights.iter().zip(&mut outputs).collect();
    for alike in layers.chunk_by_mut(|(a, _), (b, _)| a.dtype() == b.dtype()) {
        with_format!(alike[0].0.dtype(), W => {
            let outputs = alike.iter_mut().map(|(weight, y)| {
                Output::<W>::store(weight.storage(), dims(weight)[0], y.storage_mut())
            });
            let outputs: Vec<_> = outputs.collect();
            gemm(Isa::best(), [tokens, inputs], Input::F32(x.storage()), &outputs);
        });
    }
    outputs.map(|y| Tensor::from_primitive(TensorPrimitive::Float(y)))
}

/// See [`crate::Kernels::linear_add`]: in the residual's own memory.
pub(crate) fn linear_add(
    residual: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 2>,
) -> Tensor<Flex, 2> {
    let [tokens, inputs] = x.dims();
    let (mut y, x, weight) = (contiguous(residual), contiguous(x), contiguous(weight));
    let outputs = dims(&weight)[0];
    assert_eq!(dims(&y), [tokens, outputs], "linear_add: a residual of the sum's shape");
    with_format!(weight.dtype(), W => {
        let sum = Output::<W>::add(weight.storage(), outputs, y.storage_mut());
        gemm(Isa::best(), [tokens, inputs], Input::F32(x.storage()), &[sum]);
    });
    Tensor::from_primitive(TensorPrimitive::Float(y))
}

/// See [`crate::Kernels::rounded`]. (Burn Flex's own cast to bfloat16 cuts off.)
pub(crate) fn rounded(x: Tensor<Flex, 2>, dtype: DType) -> Tensor<Flex, 2> {
    if (x.dtype(), dtype) != (DType::F32, DType::BF16) {
        return x.cast(dtype);
    }
    let x = contiguous(x);
    let mut y = buffers::tensor_of(dims(&x), dtype);
    bf16::round(Isa::best(), x.storage(), y.storage_mut());
    Tensor::from_primitive(TensorPrimitive::Float(y))
}

pub(crate) fn contiguous<const N: usize>(tensor: Tensor<Flex, N>) -> FlexTensor {
    tensor.into_primitive().tensor().to_contiguous()
}

/// `[out, in]` of a weight, `[T, columns]` of anything else.
pub(crate) fn dims(tensor: &FlexTensor) -> [usize; 2] {
    tensor.layout().shape().dims()
}
