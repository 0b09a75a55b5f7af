//! Matrices with rows and columns exchanged, for the products of gradients.

use crate::cpu::buffers;
use crate::cpu::gemm::bf16::nearest_bf16;
use crate::linear::cpu::{contiguous, dims};
use burn::tensor::{DType, Tensor, TensorPrimitive, bf16};
use burn_flex::{Flex, FlexTensor};
use rayon::prelude::*;

/// Rows and columns of a block: a cache line of float32 each way, twice.
const BLOCK: usize = 32;

/// `xᵀ` in `dtype`, rounded to nearest: of float32 in float32 or bfloat16, else in `x`'s own.
pub(crate) fn transposed(x: Tensor<Flex, 2>, dtype: DType) -> Tensor<Flex, 2> {
    let x = contiguous(x);
    let shape @ [rows, columns] = dims(&x);
    let mut y = buffers::tensor_of([columns, rows], dtype);
    match (x.dtype(), dtype) {
        (DType::F32, DType::F32) => transpose::<f32, f32>(&x, &mut y, shape, |x| x),
        (DType::F32, DType::BF16) => transpose::<f32, bf16>(&x, &mut y, shape, nearest_bf16),
        (DType::BF16, DType::BF16) => transpose::<bf16, bf16>(&x, &mut y, shape, |x| x),
        (from, to) => {
            assert_eq!(from, to, "only float32 is rounded");
            let x = Tensor::from_primitive(TensorPrimitive::Float(x));
            return Tensor::transpose(x);
        }
    }
    Tensor::from_primitive(TensorPrimitive::Float(y))
}

fn transpose<X, Y>(
    x: &FlexTensor,
    y: &mut FlexTensor,
    [rows, columns]: [usize; 2],
    convert: impl Fn(X) -> Y + Sync,
) where
    X: burn::tensor::Element + Copy + Sync + bytemuck::Pod,
    Y: burn::tensor::Element + Copy + Send + bytemuck::Pod,
{
    let x: &[X] = x.storage();
    y.storage_mut::<Y>()
        .par_chunks_mut(BLOCK * rows)
        .zip((0..columns).into_par_iter().step_by(BLOCK))
        .for_each(|(y, first_column)| {
            for first_row in (0..rows).step_by(BLOCK) {
                let block_rows = first_row..rows.min(first_row + BLOCK);
                for (y, column) in y.chunks_exact_mut(rows).zip(first_column..) {
                    for (y, row) in y[block_rows.clone()].iter_mut().zip(block_rows.clone()) {
                        *y = convert(x[row * columns + column]);
                    }
                }
            }
        });
}
