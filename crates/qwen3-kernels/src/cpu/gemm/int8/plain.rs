//! The formula in plain Rust: the reference of all other ways.

use super::quantize::QuantizedBlock;
use super::strips::{Ahead, BlockRows, ByteGroup, Groups, QUAD, STRIP};
use super::{By, Instructions, NUMBERS, Totals, block, gemm_by};
use crate::cpu::gemm::output::{Input, Output};
use crate::cpu::gemm::path::Format;
use crate::cpu::isa::Isa;
use burn::tensor::f16;
use qwen3_dtypes::Dtype;

/// As [`crate::cpu::gemm::gemm`].
pub(crate) fn gemm(shape: [usize; 2], x: Input, outputs: &[Output<i8>]) {
    gemm_by(By { isa: Isa::Portable, block: block::<Plain> }, shape, x, outputs);
}

pub(super) struct Plain;

// Safety: no instructions of its own.
unsafe impl Instructions for Plain {
    /// # Safety
    /// None is needed.
    unsafe fn pack(rows: &BlockRows, groups: &mut [ByteGroup], strip: usize) {
        let dtype = rows.dtype;
        for row in 0..STRIP {
            let blocks = rows.row(row).chunks(dtype.block_bytes());
            for (block, group) in blocks.zip(&mut *groups) {
                group.scales[strip][row] = u16::from_le_bytes([block[0], block[1]]);
                let mut numbers = [0; NUMBERS];
                i8::widen(Isa::Portable, dtype, block, &mut numbers);
                for (i, code) in numbers.into_iter().enumerate() {
                    group.codes[strip][i / QUAD][row * QUAD + i % QUAD] = code.cast_unsigned();
                }
            }
        }
    }

    /// # Safety
    /// None is needed.
    unsafe fn add<const M: usize>(
        totals: &mut [Totals; M],
        x: &[[QuantizedBlock; M]],
        groups: Groups,
        _: Ahead,
    ) {
        for (x, group) in x.iter().zip(groups.of_rows()) {
            for (totals, x) in totals.iter_mut().zip(x) {
                for (strip, totals) in totals.iter_mut().enumerate() {
                    for (column, total) in totals.iter_mut().enumerate() {
                        let scale = f16::from_bits(group.scales[strip][column]).to_f32() * x.scale;
                        let sum = sum(x, group, [strip, column]);
                        *total = (sum as f32).mul_add(scale, *total);
                    }
                }
            }
        }
    }
}

/// Of a block of `x` and one of a weight row.
fn sum(x: &QuantizedBlock, group: &ByteGroup, [strip, column]: [usize; 2]) -> i32 {
    let products = x.codes.iter().enumerate().map(|(i, &x)| {
        let code = group.codes[strip][i / QUAD][column * QUAD + i % QUAD];
        i32::from(x) * i32::from(code.cast_signed())
    });
    products.sum()
}

/// Those of some blocks: their numbers if their scales were 1.
pub(crate) fn codes(dtype: Dtype, blocks: &[u8], codes: &mut [i8]) {
    let blocks = blocks.chunks(dtype.block_bytes());
    for (block, codes) in blocks.zip(codes.chunks_mut(NUMBERS)) {
        let mut block = block.to_vec();
        block[..2].copy_from_slice(&f16::ONE.to_le_bytes());
        let mut numbers = [0.0; NUMBERS];
        dtype.widen(&block, &mut numbers);
        codes.iter_mut().zip(numbers).for_each(|(code, number)| *code = number as i8);
    }
}
