//! Matrices with rows and columns exchanged, for the products of gradients.

use crate::cpu::buffers;
use crate::cpu::gemm::bf16::round_chunk;
#[cfg(target_arch = "x86_64")]
use crate::cpu::gemm::transpose_256;
use crate::cpu::isa::Isa;
use crate::cpu::matrix::Matrix;
use crate::linear::cpu::{contiguous, dims};
use burn::tensor::{DType, Tensor, TensorPrimitive, bf16};
use burn_flex::Flex;
use rayon::prelude::*;

/// Rows and columns of a block: two cache lines of float32 each way.
const BLOCK: usize = 32;

/// `xᵀ` in `dtype`, rounded to nearest: of float32 in float32 or bfloat16, else in `x`'s own.
pub(crate) fn transposed(x: Tensor<Flex, 2>, dtype: DType) -> Tensor<Flex, 2> {
    let x = contiguous(x);
    let shape @ [rows, columns] = dims(&x);
    let mut y = buffers::tensor_of([columns, rows], dtype);
    match (x.dtype(), dtype) {
        (DType::F32, DType::F32) => transpose_f32(x.storage(), y.storage_mut(), shape, copy),
        (DType::F32, DType::BF16) => {
            transpose_f32(x.storage(), y.storage_mut(), shape, round_chunk)
        }
        (DType::BF16, DType::BF16) => transpose_bf16(x.storage(), y.storage_mut(), shape),
        (from, to) => {
            assert_eq!(from, to, "only float32 is rounded");
            return Tensor::from_primitive(TensorPrimitive::Float(x)).transpose();
        }
    }
    Tensor::from_primitive(TensorPrimitive::Float(y))
}

/// Blocks are turned around in a buffer, so that memory is met in whole lines.
fn transpose_f32<Y: Send>(
    x: &[f32],
    y: &mut [Y],
    [rows, columns]: [usize; 2],
    store: impl Fn(Isa, &[f32], &mut [Y]) + Sync,
) {
    let isa = Isa::best();
    let strips = y.par_chunks_mut(BLOCK * rows.max(1));
    strips.enumerate().for_each(|(strip, y)| {
        let column = strip * BLOCK;
        let mut buffer = [0f32; BLOCK * BLOCK];
        for row in (0..rows).step_by(BLOCK) {
            let size = [rows - row, columns - column].map(|left| left.min(BLOCK));
            let x = Matrix { data: &x[row * columns + column..], stride: columns };
            transpose_block(isa, x, size, &mut buffer);
            for (y, x) in y.chunks_exact_mut(rows).zip(buffer.chunks_exact(BLOCK)) {
                store(isa, &x[..size[0]], &mut y[row..row + size[0]]);
            }
        }
    });
}

/// The first rows and columns of `x` as columns and rows, [`BLOCK`] numbers apart.
fn transpose_block(isa: Isa, x: Matrix<f32>, [rows, columns]: [usize; 2], y: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if isa != Isa::Portable {
        // Safety: the processor has the instructions (`Isa`).
        return unsafe { transpose_256(x, [rows, columns], y, BLOCK) };
    }
    let _ = isa;
    for (row, x) in x.data.chunks(x.stride).take(rows).enumerate() {
        for (y, &x) in y[row..].iter_mut().step_by(BLOCK).zip(&x[..columns]) {
            *y = x;
        }
    }
}

/// Weights are small beside the rows that meet them.
fn transpose_bf16(x: &[bf16], y: &mut [bf16], [rows, columns]: [usize; 2]) {
    y.par_chunks_mut(rows.max(1)).enumerate().for_each(|(column, y)| {
        for (y, &x) in y.iter_mut().zip(x[column..].iter().step_by(columns)) {
            *y = x;
        }
    });
}

fn copy(_: Isa, x: &[f32], y: &mut [f32]) {
    y.copy_from_slice(x);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::gemm::bf16::nearest_bf16;
    use crate::random::random;
    use proptest::prelude::*;

    /// Row by row and number by number.
    fn plainly<T: Copy>(x: &[T], [rows, columns]: [usize; 2]) -> Vec<T> {
        (0..rows * columns).map(|i| x[i % rows * columns + i / rows]).collect()
    }

    proptest! {
        #[test]
        fn rows_become_columns_of_any_shape(rows in 1_usize..80, columns in 1_usize..80) {
            let shape = [rows, columns];
            let x = random(rows * columns, 7);
            let expected = plainly(&x, shape);
            let narrow: Vec<bf16> = expected.iter().map(|&x| nearest_bf16(x)).collect();
            let mut y = vec![0f32; x.len()];
            transpose_f32(&x, &mut y, shape, copy);
            prop_assert_eq!(&y, &expected);
            let mut y = vec![bf16::ZERO; x.len()];
            transpose_f32(&x, &mut y, shape, round_chunk);
            prop_assert_eq!(&y, &narrow);
            let mut y = vec![bf16::ZERO; x.len()];
            transpose_bf16(&plainly(&narrow, [columns, rows]), &mut y, shape);
            prop_assert_eq!(&y, &narrow);
        }

        #[test]
        fn a_block_is_the_same_with_every_set_of_instructions(
            rows in 1_usize..=BLOCK,
            columns in 1_usize..=BLOCK,
        ) {
            let x = random(rows * columns, 9);
            let expected = plainly(&x, [rows, columns]);
            for isa in Isa::available() {
                let mut y = [0f32; BLOCK * BLOCK];
                let x = Matrix { data: &x, stride: columns };
                transpose_block(isa, x, [rows, columns], &mut y);
                let y = y.chunks(BLOCK).take(columns).flat_map(|y| &y[..rows]);
                prop_assert_eq!(y.copied().collect::<Vec<_>>(), expected.clone(), "{}", isa);
            }
        }
    }
}
