//! The formula in plain Rust: the reference of all other ways.

use super::quantize::QuantizedBlock;
use super::strips::{Group, QUAD, STRIP};
use super::{By, Instructions, NUMBERS, block, gemm_by};
use crate::cpu::gemm::output::{Input, Output};
use crate::cpu::gemm::path::Format;
use crate::cpu::isa::Isa;
use burn::tensor::f16;
use bytemuck::Zeroable;
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
    unsafe fn pack(dtype: Dtype, k: usize, rows: &[u8], strip: &mut [Group]) {
        strip.fill(Group::zeroed());
        for (row, blocks) in rows.chunks(dtype.bytes_of(k)).enumerate() {
            for (group, block) in strip.iter_mut().zip(blocks.chunks(dtype.block_bytes())) {
                group.scales[row] = f16::from_le_bytes([block[0], block[1]]).to_f32();
                let mut numbers = [0; NUMBERS];
                i8::widen(Isa::Portable, dtype, block, &mut numbers);
                for (i, code) in numbers.into_iter().enumerate() {
                    group.codes[i / QUAD][row * QUAD + i % QUAD] = code.cast_unsigned() ^ 0x80;
                }
            }
        }
    }

    /// # Safety
    /// None is needed.
    unsafe fn totals<const M: usize>(
        x: [&[QuantizedBlock]; M],
        strips: [&[Group]; 2],
    ) -> [[[f32; STRIP]; 2]; M] {
        x.map(|x| strips.map(|strip| std::array::from_fn(|column| total(x, strip, column))))
    }
}

/// Of one row of `x` and one of the weight.
fn total(x: &[QuantizedBlock], strip: &[Group], column: usize) -> f32 {
    x.iter().zip(strip).fold(0.0, |total, (x, group)| {
        let products = x.codes.iter().enumerate().map(|(i, &x)| {
            let code = group.codes[i / QUAD][column * QUAD + i % QUAD] ^ 0x80;
            i32::from(x) * i32::from(code.cast_signed())
        });
        let sum: i32 = products.sum();
        (sum as f32).mul_add(group.scales[column] * x.scale, total)
    })
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
