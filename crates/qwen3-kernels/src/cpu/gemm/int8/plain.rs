//! The formula in plain Rust: the reference of all other ways.

use super::groups::{
    Ahead, ByteCodes, ByteGroup, Groups, HalvesGroup, MinimumGroup, QUAD, Quads, STRIP, quads_of,
};
use super::quantize::QuantizedBlock;
use super::strips::BlockRows;
use super::{By, Instructions, NUMBERS, Totals, block, gemm_by};
use crate::cpu::blocks::{halves_scales, steps_and_minima};
use crate::cpu::gemm::output::{Input, Output};
use crate::cpu::gemm::path::Format;
use crate::cpu::gemm::widen::Widen;
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
                group.scales[strip][row] = f16::from_le_bytes([block[0], block[1]]);
                let mut numbers = [0; NUMBERS];
                i8::widen(Isa::Portable, dtype, block, &mut numbers);
                put(&mut group.codes[strip], row, numbers);
            }
        }
    }

    /// # Safety
    /// None is needed.
    unsafe fn pack_minima(rows: &BlockRows, groups: &mut [MinimumGroup], strip: usize) {
        let dtype = rows.dtype;
        for row in 0..STRIP {
            let blocks = rows.row(row).chunks(dtype.block_bytes());
            for (block, groups) in blocks.zip(groups.chunks_mut(dtype.block_len() / NUMBERS)) {
                let (scales, minima) = steps_and_minima(block);
                let codes = codes_from_zero(dtype, block);
                for (at, (group, codes)) in groups.iter_mut().zip(codes).enumerate() {
                    group.scales[strip][row] = scales[at];
                    group.minima[strip][row] = minima[at];
                    put(&mut group.codes[strip], row, codes);
                }
            }
        }
    }

    /// # Safety
    /// None is needed.
    unsafe fn pack_halves(rows: &BlockRows, groups: &mut [HalvesGroup], strip: usize) {
        let dtype = rows.dtype;
        for row in 0..STRIP {
            let blocks = rows.row(row).chunks(dtype.block_bytes());
            for (block, groups) in blocks.zip(groups.chunks_mut(dtype.block_len() / NUMBERS)) {
                let (scales, codes) = (halves_scales(block), codes_of_halves(block));
                for ((group, codes), scales) in groups.iter_mut().zip(codes).zip(scales) {
                    group.scales[strip][0][row] = scales[0];
                    group.scales[strip][1][row] = scales[1];
                    put(&mut group.codes[strip], row, codes);
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
        match groups {
            Groups::Bytes(_, groups) => add(totals, x, groups),
            Groups::Minima(groups) => add(totals, x, groups),
            Groups::Halves(groups) => add(totals, x, groups),
            Groups::Nibbles(_) => panic!("strips in half bytes"),
        }
    }
}

/// A block's codes of a row of a strip.
fn put(quads: &mut Quads, row: usize, codes: [i8; NUMBERS]) {
    for (i, code) in codes.into_iter().enumerate() {
        quads[i / QUAD][row * QUAD + i % QUAD] = code.cast_unsigned();
    }
}

/// As [`Instructions::add`], of codes that are bytes.
fn add<G: ByteCodes, const M: usize>(
    totals: &mut [Totals; M],
    x: &[[QuantizedBlock; M]],
    groups: &[G],
) {
    for (x, group) in x.iter().zip(groups) {
        for (totals, x) in totals.iter_mut().zip(x) {
            for (at, total) in totals.as_flattened_mut().iter_mut().enumerate() {
                let (strip, column) = (at / STRIP, at % STRIP);
                for part in 0..G::PARTS {
                    let scale = group.scales(strip, part)[column].widened() * x.scale;
                    let sum = sum(x, group, [strip, part, column]);
                    *total = (sum as f32).mul_add(scale, *total);
                }
                if let Some(minima) = group.minima(strip) {
                    *total = (-minima[column]).mul_add(x.sum, *total);
                }
            }
        }
    }
}

/// Of a part of a block of `x` and one of a weight row.
fn sum<G: ByteCodes>(x: &QuantizedBlock, group: &G, [strip, part, column]: [usize; 3]) -> i32 {
    let products = quads_of::<G>(part).map(|quad| {
        let codes = &group.quads(strip)[quad][column * QUAD..][..QUAD];
        let codes = codes.iter().zip(&x.codes[quad * QUAD..]);
        codes.map(|(&code, &x)| i32::from(x) * i32::from(code.cast_signed())).sum::<i32>()
    });
    products.sum()
}

/// The codes of a block of `q4_k` or `q5_k`: its numbers if all scales were 1 and minima 0.
fn codes_from_zero(dtype: Dtype, block: &[u8]) -> Vec<[i8; NUMBERS]> {
    let mut block = block.to_vec();
    block[..4].copy_from_slice(&[f16::ONE.to_le_bytes(), [0; 2]].concat());
    block[4..16].copy_from_slice(&[1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]);
    let mut numbers = vec![0.0; dtype.block_len()];
    dtype.widen(&block, &mut numbers);
    numbers.as_chunks().0.iter().map(|group| group.map(|number| number as i8)).collect()
}

/// The codes of a block of `q6_k`: its numbers if all scales were 1.
fn codes_of_halves(block: &[u8]) -> Vec<[i8; NUMBERS]> {
    let mut block = block.to_vec();
    block[192..208].fill(1);
    block[208..].copy_from_slice(&f16::ONE.to_le_bytes());
    let mut numbers = [0.0; 256];
    Dtype::Q6_K.widen(&block, &mut numbers);
    numbers.as_chunks().0.iter().map(|group| group.map(|number| number as i8)).collect()
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
