//! NEON with its products of pairs of rows in 8 bits (`smmla`).

use super::groups::{
    Ahead, ByteCodes, ByteGroup, Groups, HalvesGroup, MinimumGroup, QUAD, Quads, STRIP, quads_of,
};
use super::k_blocks;
use super::lanes::{Codes, Order, pack};
use super::neon::{BYTES, LANES, add_scaled};
use super::quantize::{QuantizedBlock, QuantizedX};
use super::strips::BlockRows;
use super::{By, Instructions, ROWS, Totals, block, gemm_by};
use crate::cpu::gemm::output::{Input, Output};
use crate::cpu::gemm::tasks::Task;
use crate::cpu::isa::Isa;
use std::arch::aarch64::*;
use std::arch::asm;
use std::ops::Range;

/// As [`crate::cpu::gemm::gemm`], with products of pairs of rows.
///
/// # Panics
/// If this processor has not the instructions.
pub(crate) fn gemm(shape: [usize; 2], x: Input, outputs: &[Output<i8>]) {
    gemm_by(By { isa: Isa::NeonBf16, block: block_i8mm }, shape, x, outputs);
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "neon,i8mm")]
unsafe fn block_i8mm(x: &QuantizedX, task: &Task<i8>) {
    // Safety: by the caller.
    unsafe { block::<NeonI8mm>(x, task) }
}

struct NeonI8mm;

/// Numbers of a row beside each other, where pairs of rows are multiplied.
const OCTET: usize = 8;
/// Of a strip.
const PAIRS: usize = STRIP / 2;

// Safety: reads through slices, and a block's bytes.
unsafe impl Instructions for NeonI8mm {
    #[inline(always)]
    unsafe fn pack(rows: &BlockRows, groups: &mut [ByteGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { pack::<uint8x16_t, InOctets, 0>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn pack_minima(rows: &BlockRows, groups: &mut [MinimumGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { k_blocks::pack_minima::<uint8x16_t, InOctets>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn pack_halves(rows: &BlockRows, groups: &mut [HalvesGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { k_blocks::pack_halves::<uint8x16_t, InOctets, 0>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn add<const M: usize>(
        totals: &mut [Totals; M],
        x: &[[QuantizedBlock; M]],
        groups: Groups,
        _: Ahead,
    ) {
        // Safety: by the caller.
        unsafe {
            match groups {
                Groups::Bytes(_, groups) => add_octets(totals, x, groups),
                Groups::Minima(groups) => add_octets(totals, x, groups),
                Groups::Halves(groups) => add_octets(totals, x, groups),
                Groups::Nibbles(_) => panic!("strips in half bytes"),
            }
        }
    }
}

/// As [`Instructions::add`], by [`octets`].
///
/// # Safety
/// The processor has the instructions.
#[inline(always)]
unsafe fn add_octets<G: ByteCodes, const M: usize>(
    totals: &mut [Totals; M],
    x: &[[QuantizedBlock; M]],
    groups: &[G],
) {
    for strip in 0..2 {
        for (x, group) in x.iter().zip(groups) {
            // Safety: by the caller.
            unsafe {
                for part in 0..G::PARTS {
                    let sums = octets(x, group, [strip, part]);
                    for (pair, sums) in sums.iter().take(M.div_ceil(2)).enumerate() {
                        for (four, sums) in sums.as_chunks::<2>().0.iter().enumerate() {
                            let [a, b] = sums.map(|sums| vreinterpretq_s64_s32(sums));
                            let rows = [vzip1q_s64(a, b), vzip2q_s64(a, b)];
                            for (m, sums) in (2 * pair..M).zip(rows) {
                                let (sums, at) = (vreinterpretq_s32_s64(sums), four * LANES);
                                let of = (group, [strip, part, at]);
                                add_scaled(&mut totals[m][strip][at..], &x[m], of, sums);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Eight codes of each row, then the next eight.
struct InOctets;

// Safety: `Codes::codes` of each row.
unsafe impl Order<uint8x16_t> for InOctets {
    #[inline(always)]
    unsafe fn put<C: Codes>(which: C, at: impl Fn(usize) -> *const u8, add: u8, quads: &mut Quads) {
        let octets = quads.as_flattened_mut().as_chunks_mut::<{ OCTET * STRIP }>().0;
        for pair in 0..PAIRS {
            // Safety: by the caller.
            unsafe {
                let even = which.codes::<uint8x16_t>(|_| at(2 * pair), add);
                let odd = which.codes::<uint8x16_t>(|_| at(2 * pair + 1), add);
                for (half, (even, odd)) in even.into_iter().zip(odd).enumerate() {
                    let [even, odd] = [even, odd].map(|codes| vreinterpretq_u64_u8(codes));
                    let both = [vzip1q_u64(even, odd), vzip2q_u64(even, odd)];
                    for (octet, codes) in both.into_iter().enumerate() {
                        let to = &mut octets[2 * half + octet][pair * BYTES..][..BYTES];
                        vst1q_u8(to.as_mut_ptr(), vreinterpretq_u8_u64(codes));
                    }
                }
            }
        }
    }
}

/// The sums of pairs of rows of a part of `x` and of columns, each as four numbers; where `x` has
/// no second row of a pair, of the first one again, and where it has neither, zeros.
///
/// # Safety
/// The processor has the instructions.
#[inline(always)]
unsafe fn octets<G: ByteCodes, const M: usize>(
    x: &[QuantizedBlock; M],
    group: &G,
    [strip, part]: [usize; 2],
) -> [[int32x4_t; PAIRS]; ROWS / 2] {
    let Range { start, end } = quads_of::<G>(part);
    let of_part = start * QUAD / OCTET..end * QUAD / OCTET;
    // Safety: 8 bytes of a row of `x`, 16 of codes; by the caller.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); PAIRS]; ROWS / 2];
        let codes = group.quads(strip).as_flattened().as_chunks::<{ OCTET * STRIP }>().0;
        for octet in of_part {
            let row = |m: usize| vld1_s8(x[m.min(M - 1)].codes[octet * OCTET..].as_ptr());
            let x: [_; ROWS / 2] =
                std::array::from_fn(|pair| vcombine_s8(row(2 * pair), row(2 * pair + 1)));
            for (column, codes) in codes[octet].as_chunks::<BYTES>().0.iter().enumerate() {
                let codes = vld1q_s8(codes.as_ptr().cast());
                for (sums, x) in sums.iter_mut().zip(x).take(M.div_ceil(2)) {
                    sums[column] = smmla(sums[column], x, codes);
                }
            }
        }
        sums
    }
}

/// `vmmlaq_s32`, which Rust 1.95 only has as unstable: to the sums of each row of `x` and each of
/// `w`, two of each, the products of their eight numbers.
///
/// # Safety
/// The processor has the instruction.
#[inline]
#[target_feature(enable = "neon,i8mm")]
unsafe fn smmla(mut sums: int32x4_t, x: int8x16_t, w: int8x16_t) -> int32x4_t {
    // Safety: by the caller; the instruction touches these registers alone.
    unsafe {
        asm!(
            "smmla {sums:v}.4s, {x:v}.16b, {w:v}.16b",
            sums = inout(vreg) sums,
            x = in(vreg) x,
            w = in(vreg) w,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}
