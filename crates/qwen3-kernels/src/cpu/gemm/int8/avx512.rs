//! AVX-512 with its products of 8 bits (`vpdpbusd`).

use super::groups::{Ahead, ByteGroup, Group, Groups, HalvesGroup, MinimumGroup, quads_of};
use super::k_blocks;
use super::lanes::{InQuads, pack};
use super::quantize::{QuantizedBlock, QuantizedX};
use super::strips::BlockRows;
use super::{By, Instructions, Totals, block, gemm_by};
use crate::cpu::gemm::output::{Input, Output};
use crate::cpu::gemm::tasks::Task;
use crate::cpu::gemm::widen::Widen;
use crate::cpu::isa::Isa;
use std::arch::x86_64::*;

/// As [`crate::cpu::gemm::gemm`].
///
/// # Panics
/// If this processor has not the instructions.
pub(crate) fn gemm(shape: [usize; 2], x: Input, outputs: &[Output<i8>]) {
    gemm_by(By { isa: Isa::Avx512Vnni, block: block_512 }, shape, x, outputs);
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn block_512(x: &QuantizedX, task: &Task<i8>) {
    // Safety: by the caller.
    unsafe { block::<Avx512Vnni>(x, task) }
}

pub(super) struct Avx512Vnni;

// Safety: reads through slices, and a block's bytes.
unsafe impl Instructions for Avx512Vnni {
    #[inline(always)]
    unsafe fn pack(rows: &BlockRows, groups: &mut [ByteGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { pack::<__m512i, InQuads, 128>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn pack_minima(rows: &BlockRows, groups: &mut [MinimumGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { k_blocks::pack_minima::<__m512i, InQuads>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn pack_halves(rows: &BlockRows, groups: &mut [HalvesGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { k_blocks::pack_halves::<__m512i, InQuads, 32>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn add<const M: usize>(
        totals: &mut [Totals; M],
        x: &[[QuantizedBlock; M]],
        groups: Groups,
        ahead: Ahead,
    ) {
        // Safety: by the caller.
        unsafe {
            match groups {
                Groups::Bytes(_, groups) => add_groups::<_, M, 128>(totals, x, groups, ahead),
                Groups::Nibbles(groups) => add_groups::<_, M, 8>(totals, x, groups, ahead),
                Groups::Minima(groups) => add_groups::<_, M, 0>(totals, x, groups, ahead),
                Groups::Halves(groups) => add_groups::<_, M, 32>(totals, x, groups, ahead),
            }
        }
    }
}

/// As [`Instructions::add`], of codes that are `OFFSET` too large.
///
/// # Safety
/// The processor has the instructions.
#[inline(always)]
unsafe fn add_groups<G: Group, const M: usize, const OFFSET: i32>(
    totals: &mut [Totals; M],
    x: &[[QuantizedBlock; M]],
    groups: &[G],
    ahead: Ahead,
) {
    // Safety: 16 numbers of each; by the caller.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; M];
        for (sums, totals) in sums.iter_mut().zip(&*totals) {
            *sums = [_mm512_loadu_ps(totals[0].as_ptr()), _mm512_loadu_ps(totals[1].as_ptr())];
        }
        for (at, (x, group)) in x.iter().zip(groups).enumerate() {
            ahead.fetch::<__m512i>(at);
            add_group::<G, M, OFFSET>(&mut sums, x, group);
        }
        for (sums, totals) in sums.iter().zip(totals) {
            _mm512_storeu_ps(totals[0].as_mut_ptr(), sums[0]);
            _mm512_storeu_ps(totals[1].as_mut_ptr(), sums[1]);
        }
    }
}

/// # Safety
/// The processor has the instructions.
#[inline(always)]
unsafe fn add_group<G: Group, const M: usize, const OFFSET: i32>(
    totals: &mut [[__m512; 2]; M],
    x: &[QuantizedBlock; M],
    group: &G,
) {
    for part in 0..G::PARTS {
        // Safety: by the caller.
        unsafe {
            let mut sums = [[_mm512_setzero_si512(); 2]; M];
            for (sums, x) in sums.iter_mut().zip(x) {
                *sums = [_mm512_set1_epi32(x.start::<OFFSET>(part, G::PARTS)); 2];
            }
            for quad in quads_of::<G>(part) {
                let [a, b] = [group.quad(0, quad, 0), group.quad(1, quad, 0)];
                for (sums, x) in sums.iter_mut().zip(x) {
                    let quads = x.codes.as_ptr().cast::<i32>();
                    let x = _mm512_set1_epi32(quads.add(quad).read_unaligned());
                    sums[0] = _mm512_dpbusd_epi32(sums[0], a, x);
                    sums[1] = _mm512_dpbusd_epi32(sums[1], b, x);
                }
            }
            for strip in 0..2 {
                let scales = G::Scale::load_512(group.scales(strip, part).as_ptr());
                let minima = group.minima(strip).map(|minima| _mm512_loadu_ps(minima.as_ptr()));
                for ((totals, sums), x) in totals.iter_mut().zip(sums).zip(x) {
                    let scale = _mm512_mul_ps(scales, _mm512_set1_ps(x.scale));
                    let total = &mut totals[strip];
                    *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[strip]), scale, *total);
                    if let Some(minima) = minima {
                        *total = _mm512_fnmadd_ps(minima, _mm512_set1_ps(x.sum), *total);
                    }
                }
            }
        }
    }
}
