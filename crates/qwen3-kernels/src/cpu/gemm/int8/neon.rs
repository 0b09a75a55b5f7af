//! NEON with its products of 8 bits: of quads (`sdot`), and of pairs of rows (`smmla`).

use super::lanes::{Codes, InQuads, Order, Quads, pack};
use super::neon_registers::scales;
use super::quantize::{QuantizedBlock, QuantizedX};
use super::strips::{Ahead, BlockRows, ByteGroup, Groups, QUAD, STRIP};
use super::{By, Instructions, NUMBERS, ROWS, Totals, block, gemm_by};
use crate::cpu::gemm::output::{Input, Output};
use crate::cpu::gemm::tasks::Task;
use crate::cpu::isa::Isa;
use std::arch::aarch64::*;
use std::arch::asm;

/// As [`crate::cpu::gemm::gemm`], with products of quads.
///
/// # Panics
/// If this processor has not the instructions.
pub(crate) fn gemm_dot(shape: [usize; 2], x: Input, outputs: &[Output<i8>]) {
    gemm_by(By { isa: Isa::NeonDot, block: block_dot }, shape, x, outputs);
}

/// As [`crate::cpu::gemm::gemm`], with products of pairs of rows.
///
/// # Panics
/// If this processor has not the instructions.
pub(crate) fn gemm_i8mm(shape: [usize; 2], x: Input, outputs: &[Output<i8>]) {
    gemm_by(By { isa: Isa::NeonBf16, block: block_i8mm }, shape, x, outputs);
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "neon,dotprod")]
unsafe fn block_dot(x: &QuantizedX, task: &Task<i8>) {
    // Safety: by the caller.
    unsafe { block::<NeonDot>(x, task) }
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "neon,i8mm")]
unsafe fn block_i8mm(x: &QuantizedX, task: &Task<i8>) {
    // Safety: by the caller.
    unsafe { block::<NeonI8mm>(x, task) }
}

/// Numbers of a register of sums.
const LANES: usize = 4;
/// Numbers of a register of codes.
const BYTES: usize = 16;

struct NeonDot;

// Safety: reads through slices, and a block's bytes.
unsafe impl Instructions for NeonDot {
    #[inline(always)]
    unsafe fn pack(rows: &BlockRows, groups: &mut [ByteGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { pack::<uint8x16_t, InQuads, 0>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn add<const M: usize>(
        totals: &mut [Totals; M],
        x: &[[QuantizedBlock; M]],
        groups: Groups,
        _: Ahead,
    ) {
        /// Registers of columns at a time.
        const R: usize = 2;
        let groups = groups.of_rows();
        for strip in 0..2 {
            for first in (0..STRIP).step_by(R * LANES) {
                for (x, group) in x.iter().zip(groups) {
                    // Safety: by the caller.
                    unsafe {
                        let scales = scales(&group.scales[strip]);
                        let sums = dot::<M, R>(x, &group.codes[strip], first);
                        for (m, sums) in sums.into_iter().enumerate() {
                            for (at, sum) in (first..).step_by(LANES).zip(sums) {
                                let totals = &mut totals[m][strip][at..];
                                add_scaled(totals, &scales[at..], x[m].scale, sum);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The sums of each row of `x` and the columns of `R` registers, from `first` on.
///
/// # Safety
/// The processor has the instructions.
#[inline(always)]
unsafe fn dot<const M: usize, const R: usize>(
    x: &[QuantizedBlock; M],
    quads: &Quads,
    first: usize,
) -> [[int32x4_t; R]; M] {
    // Safety: two registers of `x`, and slices; by the caller.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); R]; M];
        for half in 0..NUMBERS / BYTES {
            let x = x.each_ref().map(|x| vld1q_s8(x.codes.as_ptr().add(half * BYTES)));
            let codes = &quads[half * BYTES / QUAD..];
            dot_quad::<0, M, R>(&mut sums, x, &codes[0][first * QUAD..]);
            dot_quad::<1, M, R>(&mut sums, x, &codes[1][first * QUAD..]);
            dot_quad::<2, M, R>(&mut sums, x, &codes[2][first * QUAD..]);
            dot_quad::<3, M, R>(&mut sums, x, &codes[3][first * QUAD..]);
        }
        sums
    }
}

/// The products of quad `LANE` of four of each row of `x`.
///
/// # Safety
/// The processor has the instructions.
#[inline(always)]
unsafe fn dot_quad<const LANE: i32, const M: usize, const R: usize>(
    sums: &mut [[int32x4_t; R]; M],
    x: [int8x16_t; M],
    codes: &[u8],
) {
    for (r, codes) in codes[..R * BYTES].as_chunks::<BYTES>().0.iter().enumerate() {
        // Safety: 16 bytes; by the caller.
        let codes = unsafe { vld1q_s8(codes.as_ptr().cast()) };
        for (sums, x) in sums.iter_mut().zip(x) {
            // Safety: by the caller.
            sums[r] = unsafe { sdot::<LANE>(sums[r], codes, x) };
        }
    }
}

/// `vdotq_laneq_s32`, which Rust 1.95 only has as unstable: to each sum the products of its four
/// codes of `w` and those of `x`'s quad `LANE`.
///
/// # Safety
/// The processor has the instruction.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn sdot<const LANE: i32>(mut sums: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // Safety: by the caller; the instruction touches these registers alone.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {w:v}.16b, {x:v}.4b[{lane}]",
            sums = inout(vreg) sums,
            w = in(vreg) w,
            x = in(vreg) x,
            lane = const LANE,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// Adds a register of sums by the scales of their columns, and of their row of `x`.
///
/// # Safety
/// The processor has NEON.
#[inline(always)]
unsafe fn add_scaled(totals: &mut [f32], scales: &[f32], x: f32, sums: int32x4_t) {
    let (totals, scales) = (&mut totals[..LANES], &scales[..LANES]);
    // Safety: four numbers of each; by the caller.
    unsafe {
        let scales = vmulq_n_f32(vld1q_f32(scales.as_ptr()), x);
        let sums = vfmaq_f32(vld1q_f32(totals.as_ptr()), vcvtq_f32_s32(sums), scales);
        vst1q_f32(totals.as_mut_ptr(), sums);
    }
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
    unsafe fn add<const M: usize>(
        totals: &mut [Totals; M],
        x: &[[QuantizedBlock; M]],
        groups: Groups,
        _: Ahead,
    ) {
        let groups = groups.of_rows();
        for strip in 0..2 {
            for (x, group) in x.iter().zip(groups) {
                // Safety: by the caller.
                unsafe {
                    let scales = scales(&group.scales[strip]);
                    let sums = octets(x, &group.codes[strip]);
                    for (pair, sums) in sums.iter().take(M.div_ceil(2)).enumerate() {
                        for (four, sums) in sums.as_chunks::<2>().0.iter().enumerate() {
                            let [a, b] = sums.map(|sums| vreinterpretq_s64_s32(sums));
                            let rows = [vzip1q_s64(a, b), vzip2q_s64(a, b)];
                            for (m, sums) in (2 * pair..M).zip(rows) {
                                let sums = vreinterpretq_s32_s64(sums);
                                let totals = &mut totals[m][strip][four * LANES..];
                                let scales = &scales[four * LANES..];
                                add_scaled(totals, scales, x[m].scale, sums);
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
    unsafe fn put<C: Codes>(at: impl Fn(usize) -> *const u8, add: u8, quads: &mut Quads) {
        let octets = quads.as_flattened_mut().as_chunks_mut::<{ OCTET * STRIP }>().0;
        for pair in 0..PAIRS {
            // Safety: by the caller.
            unsafe {
                let even = C::codes::<uint8x16_t>(|_| at(2 * pair), add);
                let odd = C::codes::<uint8x16_t>(|_| at(2 * pair + 1), add);
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

/// The sums of pairs of rows of `x` and of columns, each as four numbers; where `x` has no
/// second row of a pair, of the first one again, and where it has neither, zeros.
///
/// # Safety
/// The processor has the instructions.
#[inline(always)]
unsafe fn octets<const M: usize>(
    x: &[QuantizedBlock; M],
    quads: &Quads,
) -> [[int32x4_t; PAIRS]; ROWS / 2] {
    // Safety: 8 bytes of a row of `x`, 16 of codes; by the caller.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); PAIRS]; ROWS / 2];
        let codes = quads.as_flattened().as_chunks::<{ OCTET * STRIP }>().0;
        for (octet, codes) in codes.iter().enumerate() {
            let row = |m: usize| vld1_s8(x[m.min(M - 1)].codes[octet * OCTET..].as_ptr());
            let x: [_; ROWS / 2] =
                std::array::from_fn(|pair| vcombine_s8(row(2 * pair), row(2 * pair + 1)));
            for (column, codes) in codes.as_chunks::<BYTES>().0.iter().enumerate() {
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
