//! NEON with its products of quads in 8 bits (`sdot`).

use super::groups::{
    Ahead, ByteCodes, ByteGroup, Group, Groups, HalvesGroup, MinimumGroup, QUAD, STRIP, quads_of,
};
use super::k_blocks;
use super::lanes::{InQuads, pack};
use super::quantize::{QuantizedBlock, QuantizedX};
use super::strips::BlockRows;
use super::{By, Instructions, Totals, block, gemm_by};
use crate::cpu::gemm::output::{Input, Output};
use crate::cpu::gemm::tasks::Task;
use crate::cpu::gemm::widen::Widen;
use crate::cpu::isa::Isa;
use std::arch::aarch64::*;
use std::arch::asm;

/// As [`crate::cpu::gemm::gemm`], with products of quads.
///
/// # Panics
/// If this processor has not the instructions.
pub(crate) fn gemm(shape: [usize; 2], x: Input, outputs: &[Output<i8>]) {
    gemm_by(By { isa: Isa::NeonDot, block: block_dot }, shape, x, outputs);
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "neon,dotprod")]
unsafe fn block_dot(x: &QuantizedX, task: &Task<i8>) {
    // Safety: by the caller.
    unsafe { block::<NeonDot>(x, task) }
}

/// Numbers of a register of sums.
pub(super) const LANES: usize = 4;
/// Numbers of a register of codes.
pub(super) const BYTES: usize = 16;

struct NeonDot;

// Safety: reads through slices, and a block's bytes.
unsafe impl Instructions for NeonDot {
    #[inline(always)]
    unsafe fn pack(rows: &BlockRows, groups: &mut [ByteGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { pack::<uint8x16_t, InQuads, 0>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn pack_minima(rows: &BlockRows, groups: &mut [MinimumGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { k_blocks::pack_minima::<uint8x16_t, InQuads>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn pack_halves(rows: &BlockRows, groups: &mut [HalvesGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { k_blocks::pack_halves::<uint8x16_t, InQuads, 0>(rows, groups, strip) }
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
                Groups::Bytes(_, groups) => add_dots(totals, x, groups),
                Groups::Minima(groups) => add_dots(totals, x, groups),
                Groups::Halves(groups) => add_dots(totals, x, groups),
                Groups::Nibbles(_) => panic!("strips in half bytes"),
            }
        }
    }
}

/// As [`Instructions::add`], by [`dot`].
///
/// # Safety
/// The processor has the instructions.
#[inline(always)]
unsafe fn add_dots<G: ByteCodes, const M: usize>(
    totals: &mut [Totals; M],
    x: &[[QuantizedBlock; M]],
    groups: &[G],
) {
    /// Registers of columns at a time.
    const R: usize = 2;
    for strip in 0..2 {
        for first in (0..STRIP).step_by(R * LANES) {
            for (x, group) in x.iter().zip(groups) {
                // Safety: by the caller.
                unsafe {
                    for part in 0..G::PARTS {
                        let sums = dot::<G, M, R>(x, group, [strip, part, first]);
                        for (m, sums) in sums.into_iter().enumerate() {
                            for (at, sum) in (first..).step_by(LANES).zip(sums) {
                                let of = (group, [strip, part, at]);
                                add_scaled(&mut totals[m][strip][at..], &x[m], of, sum);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The sums of a part of each row of `x` and of the columns of `R` registers, from `first` on.
///
/// # Safety
/// The processor has the instructions.
#[inline(always)]
unsafe fn dot<G: ByteCodes, const M: usize, const R: usize>(
    x: &[QuantizedBlock; M],
    group: &G,
    [strip, part, first]: [usize; 3],
) -> [[int32x4_t; R]; M] {
    // Safety: two registers of `x`, and slices; by the caller.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); R]; M];
        for quad in quads_of::<G>(part).step_by(BYTES / QUAD) {
            let x = x.each_ref().map(|x| vld1q_s8(x.codes[quad * QUAD..][..BYTES].as_ptr()));
            let codes = &group.quads(strip)[quad..];
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

/// Adds a register of sums, from a column of a strip on, by the scales of their columns and of
/// their row of `x`, and takes the minima away, where numbers have one.
///
/// # Safety
/// The processor has NEON.
#[inline(always)]
pub(super) unsafe fn add_scaled<G: Group>(
    totals: &mut [f32],
    x: &QuantizedBlock,
    (group, [strip, part, column]): (&G, [usize; 3]),
    sums: int32x4_t,
) {
    let (totals, scales) = (&mut totals[..LANES], &group.scales(strip, part)[column..][..LANES]);
    // Safety: four numbers of each; by the caller.
    unsafe {
        let scales = vmulq_n_f32(G::Scale::load_128(scales.as_ptr()), x.scale);
        let mut sums = vfmaq_f32(vld1q_f32(totals.as_ptr()), vcvtq_f32_s32(sums), scales);
        if let Some(minima) = group.minima(strip) {
            let minima = vld1q_f32(minima[column..][..LANES].as_ptr());
            sums = vfmsq_f32(sums, minima, vdupq_n_f32(x.sum));
        }
        vst1q_f32(totals.as_mut_ptr(), sums);
    }
}
