//! Weights in blocks on GPUs: a table of formats, and a file for each.
//!
//! A block is as `qwen3_dtypes` describes it, and lies in words of 32 bits. It begins at an even
//! byte, and so does every field of more than a byte, but words are not aligned with either.
//! Scales are widened by integer arithmetic: not every device has float16.

mod float16;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
pub(crate) mod widen;
mod words;

use crate::Blocks;
use crate::gpu::MAX_NUMBERS;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use cubecl::prelude::*;
use qwen3_dtypes::{Dtype, Layout};

/// Neighbours that are read at once.
pub(crate) const NEIGHBOURS: usize = 4;
/// The size of a vector that holds them.
pub(crate) type Neighbours = Const<NEIGHBOURS>;

/// How kernels read the blocks of a dtype. Both functions take the byte at which the block
/// begins and the place in it of the first of [`NEIGHBOURS`], a multiple of as many.
#[cube]
pub(crate) trait Format: Send + Sync + 'static {
    /// What the neighbours' codes are to be multiplied with.
    fn scales(words: &Array<u32>, block: usize, index: usize) -> Scales;
    /// Their codes, a byte each, the first in the lowest bits.
    fn codes(words: &Array<u32>, block: usize, index: usize) -> u32;
}

/// A number is `step · (code − bias) + offset`. The product is exact in float32, so that a
/// device that rounds it with the sum gives the same number.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct Scales {
    pub step: f32,
    pub bias: f32,
    pub offset: f32,
}

/// What a kernel must know of a matrix in blocks when it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rows {
    pub columns: usize,
    block_len: usize,
    block_bytes: usize,
}

impl Rows {
    /// Bytes of a row.
    fn bytes(self) -> usize {
        self.columns / self.block_len * self.block_bytes
    }
}

/// The numbers of a row from `column` on.
#[cube]
pub(crate) fn neighbours<F: Format>(
    words: &Array<u32>,
    row: usize,
    column: usize,
    #[comptime] rows: Rows,
) -> Vector<f32, Neighbours> {
    let block_len = comptime!(rows.block_len);
    let block = row * comptime!(rows.bytes()) + column / block_len * comptime!(rows.block_bytes);
    let index = column % block_len;
    let scales = F::scales(words, block, index);
    let codes = F::codes(words, block, index);
    let mut numbers = Vector::<f32, Neighbours>::new(0.0);
    #[unroll]
    for i in 0..NEIGHBOURS {
        let code = f32::cast_from((codes >> comptime!(8 * i as u32)) & 255);
        numbers[i] = scales.step * (code - scales.bias) + scales.offset;
    }
    numbers
}

/// Blocks in the memory of a device.
#[derive(Clone)]
pub(crate) struct BlocksOnGpu<R: CubeRuntime> {
    pub dtype: Dtype,
    /// `[out, in]`
    pub dims: [usize; 2],
    pub words: CubeTensor<R>,
}

impl<R: CubeRuntime> BlocksOnGpu<R> {
    /// # Panics
    /// If kernels can't count its bytes, or they aren't row after row.
    pub fn new<F, I, BT>(blocks: &Blocks<CubeBackend<R, F, I, BT>>) -> Self
    where
        F: FloatElement,
        I: IntElement,
        BT: BoolElement,
    {
        let (dtype, dims) = (blocks.dtype(), blocks.dims());
        assert!(blocks.layout() == Layout::Rows, "blocks as {}", blocks.layout().name());
        let bytes = dtype.bytes_of(dims[0] * dims[1]);
        assert!(bytes <= MAX_NUMBERS, "{bytes} bytes of blocks, kernels take {MAX_NUMBERS}");
        Self { dtype, dims, words: into_contiguous(blocks.words().clone().into_primitive()) }
    }

    pub fn rows(&self) -> Rows {
        let (block_len, block_bytes) = (self.dtype.block_len(), self.dtype.block_bytes());
        Rows { columns: self.dims[1], block_len, block_bytes }
    }
}

/// What is to be done with blocks of a format that is known when kernels are compiled.
pub(crate) trait WithFormat {
    type Output;
    fn with<F: Format>(self) -> Self::Output;
}

/// The table of formats; nothing for a dtype that isn't blocks.
pub(crate) fn with_format<W: WithFormat>(dtype: Dtype, what: W) -> W::Output {
    match dtype {
        Dtype::Q8_0 => what.with::<q8_0::Q8_0>(),
        Dtype::Q6_K => what.with::<q6_k::Q6K>(),
        Dtype::Q5_K => what.with::<q5_k::Q5K>(),
        Dtype::Q4_K => what.with::<q4_k::Q4K>(),
        Dtype::Q3_K => what.with::<q3_k::Q3K>(),
        Dtype::Q2_K => what.with::<q2_k::Q2K>(),
        Dtype::Q5_0 => what.with::<q5_0::Q5_0>(),
        Dtype::Q5_1 => what.with::<q5_1::Q5_1>(),
        Dtype::Q4_0 => what.with::<q4_0::Q4_0>(),
        Dtype::Q4_1 => what.with::<q4_1::Q4_1>(),
        Dtype::F32 | Dtype::F16 | Dtype::Bf16 => panic!("{dtype} isn't blocks"),
    }
}
