//! Matrices with rows and columns exchanged, for the products of gradients.

use crate::cpu::buffers;
use crate::cpu::gemm::bf16::nearest_bf16;
use crate::linear::cpu::{contiguous, dims};
use burn::tensor::{DType, Element, Tensor, TensorPrimitive, bf16};
use burn_flex::{Flex, FlexTensor};
use bytemuck::Pod;
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
            return Tensor::from_primitive(TensorPrimitive::Float(x)).transpose();
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
    X: Element + Copy + Sync + Pod,
    Y: Element + Copy + Send + Pod,
{
    let x: &[X] = x.storage();
    let strips = y.storage_mut::<Y>().par_chunks_mut(BLOCK * rows);
    strips.enumerate().for_each(|(strip, y)| {
        let first_column = strip * BLOCK;
        // Blocks are turned around in it, so that memory is met in whole lines.
        let mut buffer = [[Y::zeroed(); BLOCK]; BLOCK];
        for first_row in (0..rows).step_by(BLOCK) {
            let block = Block {
                size: [rows - first_row, columns - first_column].map(|left| left.min(BLOCK)),
                strides: [columns, rows],
            };
            let x = &x[first_row * columns + first_column..];
            block.transpose(x, &mut buffer, &convert);
            block.copy(&buffer, &mut y[first_row..]);
        }
    });
}

/// Some rows and columns.
struct Block {
    /// How many they are in `x`, up to [`BLOCK`] each.
    size: [usize; 2],
    /// Numbers from one row to the next, in `x` and in `y`.
    strides: [usize; 2],
}

impl Block {
    /// The first rows and columns of `x` as columns and rows.
    fn transpose<X: Copy, Y>(
        &self,
        x: &[X],
        buffer: &mut [[Y; BLOCK]; BLOCK],
        convert: &impl Fn(X) -> Y,
    ) {
        let [rows, columns] = self.size;
        for (row, x) in x.chunks(self.strides[0]).take(rows).enumerate() {
            match x.first_chunk::<BLOCK>() {
                Some(x) if columns == BLOCK => {
                    for (buffer, &x) in buffer.iter_mut().zip(x) {
                        buffer[row] = convert(x);
                    }
                }
                _ => {
                    for (buffer, &x) in buffer.iter_mut().zip(&x[..columns]) {
                        buffer[row] = convert(x);
                    }
                }
            }
        }
    }

    /// The columns of `x` into the rows of `y`.
    fn copy<Y: Copy>(&self, buffer: &[[Y; BLOCK]; BLOCK], y: &mut [Y]) {
        let [rows, columns] = self.size;
        for (y, buffer) in y.chunks_mut(self.strides[1]).zip(&buffer[..columns]) {
            match y.first_chunk_mut::<BLOCK>() {
                Some(y) if rows == BLOCK => *y = *buffer,
                _ => y[..rows].copy_from_slice(&buffer[..rows]),
            }
        }
    }
}
