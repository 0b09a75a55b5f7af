//! Linear layers on Burn Flex, from weights in their own precision.

use crate::cpu::buffers;
use crate::cpu::gemm::{
    self, Format, Input, Output, Source, bf16, dtype_of_blocks, gemm, with_format,
};
use crate::cpu::isa::Isa;
use crate::{Blocks, Weight};
use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_flex::{Flex, FlexTensor};
use qwen3_dtypes::{Dtype, Layout};

/// See [`crate::Kernels::linears`]: all in one parallel pass over `x`.
pub(crate) fn linears<const N: usize>(
    x: Tensor<Flex, 2>,
    weights: [Weight<Flex>; N],
) -> [Tensor<Flex, 2>; N] {
    let isa = Isa::best();
    let [tokens, inputs] = x.dims();
    let x = contiguous(x);
    let weights = weights.map(|weight| Stored::new(isa, weight));
    let mut outputs = weights.each_ref().map(|weight| {
        let [outputs, weight_inputs] = weight.dims;
        assert_eq!(inputs, weight_inputs, "linear: {inputs} columns, the weight {weight_inputs}");
        buffers::tensor([tokens, outputs])
    });
    let mut layers: Vec<(&Stored, &mut FlexTensor)> = weights.iter().zip(&mut outputs).collect();
    for alike in layers.chunk_by_mut(|(a, _), (b, _)| a.format == b.format) {
        with_format!(alike[0].0.format, W => {
            let outputs = alike.iter_mut().map(|(weight, y)| {
                Output::<W>::store(weight.source(), weight.dims[0], y.storage_mut())
            });
            let outputs: Vec<_> = outputs.collect();
            gemm(isa, [tokens, inputs], Input::F32(x.storage()), &outputs);
        });
    }
    outputs.map(|y| Tensor::from_primitive(TensorPrimitive::Float(y)))
}

/// See [`crate::Kernels::linear_add`]: in the residual's own memory.
pub(crate) fn linear_add(
    residual: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    weight: Weight<Flex>,
) -> Tensor<Flex, 2> {
    let isa = Isa::best();
    let [tokens, inputs] = x.dims();
    let (mut y, x, weight) = (contiguous(residual), contiguous(x), Stored::new(isa, weight));
    let [outputs, _] = weight.dims;
    assert_eq!(dims(&y), [tokens, outputs], "linear_add: a residual of the sum's shape");
    with_format!(weight.format, W => {
        let sum = Output::<W>::add(weight.source(), outputs, y.storage_mut());
        gemm(isa, [tokens, inputs], Input::F32(x.storage()), &[sum]);
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

/// See [`crate::Kernels::layout`].
pub(crate) fn layout() -> Layout {
    gemm::layout(Isa::best())
}

/// A weight in memory, and what products take for it.
pub(crate) struct Stored {
    pub dims: [usize; 2],
    /// In which format it is multiplied.
    pub format: DType,
    tensor: FlexTensor,
    /// Of its blocks.
    blocks: Option<(Dtype, Layout)>,
}

impl Stored {
    pub fn new(isa: Isa, weight: Weight<Flex>) -> Self {
        let dims = weight.dims();
        match weight {
            Weight::Float(numbers) => {
                Self { dims, format: numbers.dtype(), tensor: contiguous(numbers), blocks: None }
            }
            Weight::Blocks(blocks) => {
                let (dtype, layout) = (blocks.dtype(), blocks.layout());
                let (format, tensor) = (dtype_of_blocks(isa, dtype), words(&blocks));
                Self { dims, format, tensor, blocks: Some((dtype, layout)) }
            }
        }
    }

    /// # Panics
    /// If it is multiplied in another format.
    pub fn source<W: Format>(&self) -> Source<'_, W> {
        let n = self.dims.iter().product();
        let bytes = |dtype: Dtype| &self.tensor.bytes()[..dtype.bytes_of(n)];
        match self.blocks {
            None => Source::Numbers(self.tensor.storage()),
            Some((dtype, Layout::Rows)) => Source::Blocks(dtype, bytes(dtype)),
            Some((dtype, Layout::Strips)) => Source::Strips(dtype, bytes(dtype)),
        }
    }
}

/// The words of blocks, whose first bytes are the blocks.
pub(crate) fn words(blocks: &Blocks<Flex>) -> FlexTensor {
    assert_eq!(blocks.words().dtype(), DType::U32, "words of blocks");
    blocks.words().clone().into_primitive().to_contiguous()
}

pub(crate) fn contiguous<const N: usize>(tensor: Tensor<Flex, N>) -> FlexTensor {
    tensor.into_primitive().tensor().to_contiguous()
}

/// `[out, in]` of a weight, `[T, columns]` of anything else.
pub(crate) fn dims(tensor: &FlexTensor) -> [usize; 2] {
    tensor.layout().shape().dims()
}
