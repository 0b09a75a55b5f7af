//! AVX2, alone and with products of 8 bits (AVX-VNNI).

use super::avx2_sums::{NarrowPairs, Pairs, Quads, Sums};
use super::groups::{Ahead, ByteGroup, Group, Groups, HalvesGroup, MinimumGroup};
use super::k_blocks;
use super::lanes::{InQuads, pack};
use super::quantize::{QuantizedBlock, QuantizedX};
use super::strips::BlockRows;
use super::{By, Instructions, Totals, block, gemm_by};
use crate::cpu::gemm::output::{Input, Output};
use crate::cpu::gemm::tasks::Task;
use crate::cpu::gemm::widen::Widen;
use crate::cpu::isa::Isa;
use qwen3_dtypes::Dtype;
use std::arch::x86_64::*;

/// As [`crate::cpu::gemm::gemm`], with products of pairs.
///
/// # Panics
/// If this processor has not the instructions.
pub(crate) fn gemm(shape: [usize; 2], x: Input, outputs: &[Output<i8>]) {
    gemm_by(By { isa: Isa::Avx2, block: block_256 }, shape, x, outputs);
}

/// As [`crate::cpu::gemm::gemm`], with products of quads.
///
/// # Panics
/// If this processor has not the instructions.
pub(crate) fn gemm_vnni(shape: [usize; 2], x: Input, outputs: &[Output<i8>]) {
    gemm_by(By { isa: Isa::AvxVnni, block: block_vnni }, shape, x, outputs);
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn block_256(x: &QuantizedX, task: &Task<i8>) {
    // Safety: by the caller.
    unsafe { block::<Avx2>(x, task) }
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
unsafe fn block_vnni(x: &QuantizedX, task: &Task<i8>) {
    // Safety: by the caller.
    unsafe { block::<AvxVnni>(x, task) }
}

/// Sums in a register.
const LANES: usize = 8;
/// Registers of a quad of a strip.
const REGISTERS: usize = 2;

pub(super) struct Avx2;
pub(super) struct AvxVnni;

// Safety: reads through slices, and a block's bytes.
unsafe impl Instructions for AvxVnni {
    #[inline(always)]
    unsafe fn pack(rows: &BlockRows, groups: &mut [ByteGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { pack::<__m256i, InQuads, 128>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn pack_minima(rows: &BlockRows, groups: &mut [MinimumGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { k_blocks::pack_minima::<__m256i, InQuads>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn pack_halves(rows: &BlockRows, groups: &mut [HalvesGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { k_blocks::pack_halves::<__m256i, InQuads, 32>(rows, groups, strip) }
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
                Groups::Bytes(_, groups) => add::<Quads<128>, _, M, 2>(totals, x, groups, ahead),
                Groups::Nibbles(groups) => add::<Quads<8>, _, M, 2>(totals, x, groups, ahead),
                Groups::Minima(groups) => add::<Quads<0>, _, M, 2>(totals, x, groups, ahead),
                Groups::Halves(groups) => add::<Quads<32>, _, M, 2>(totals, x, groups, ahead),
            }
        }
    }
}

/// What is added to codes of up to 5 bits: they are from 0 to 31 then.
const NARROW: u8 = 16;

// Safety: reads through slices, and a block's bytes.
unsafe impl Instructions for Avx2 {
    #[inline(always)]
    unsafe fn pack(rows: &BlockRows, groups: &mut [ByteGroup], strip: usize) {
        // Safety: by the caller.
        unsafe {
            match rows.dtype {
                Dtype::Q8_0 => pack::<__m256i, InQuads, 128>(rows, groups, strip),
                _ => pack::<__m256i, InQuads, NARROW>(rows, groups, strip),
            }
        }
    }

    #[inline(always)]
    unsafe fn pack_minima(rows: &BlockRows, groups: &mut [MinimumGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { k_blocks::pack_minima::<__m256i, InQuads>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn pack_halves(rows: &BlockRows, groups: &mut [HalvesGroup], strip: usize) {
        // Safety: by the caller.
        unsafe { k_blocks::pack_halves::<__m256i, InQuads, 32>(rows, groups, strip) }
    }

    #[inline(always)]
    unsafe fn add<const M: usize>(
        totals: &mut [Totals; M],
        x: &[[QuantizedBlock; M]],
        groups: Groups,
        ahead: Ahead,
    ) {
        const OFFSET: i32 = NARROW as i32;
        // Safety: by the caller.
        unsafe {
            match groups {
                Groups::Bytes(Dtype::Q8_0, groups) => {
                    add::<Pairs, _, M, 1>(totals, x, groups, ahead)
                }
                Groups::Bytes(_, groups) => {
                    add::<NarrowPairs<OFFSET, 4>, _, M, 1>(totals, x, groups, ahead)
                }
                Groups::Nibbles(groups) => {
                    add::<NarrowPairs<8, 4>, _, M, 1>(totals, x, groups, ahead)
                }
                Groups::Minima(groups) => {
                    add::<NarrowPairs<0, 4>, _, M, 1>(totals, x, groups, ahead)
                }
                Groups::Halves(groups) => {
                    add::<NarrowPairs<32, 2>, _, M, 1>(totals, x, groups, ahead)
                }
            }
        }
    }
}

/// As [`Instructions::add`], `R` registers of columns at a time.
///
/// # Safety
/// The processor has the instructions of `S`.
#[inline(always)]
unsafe fn add<S: Sums, G: Group, const M: usize, const R: usize>(
    totals: &mut [Totals; M],
    x: &[[QuantizedBlock; M]],
    groups: &[G],
    ahead: Ahead,
) {
    for at in (0..2 * REGISTERS).step_by(R) {
        let [strip, first] = [at / REGISTERS, at % REGISTERS];
        for (index, (x, group)) in x.iter().zip(groups).enumerate() {
            if at == 0 {
                // Safety: by the caller.
                unsafe { ahead.fetch::<__m256i>(index) };
            }
            let minima = group.minima(strip).map(|minima| minima.as_chunks::<LANES>().0);
            for part in 0..G::PARTS {
                let scales = group.scales(strip, part).as_chunks::<LANES>().0;
                // Safety: eight numbers of each; by the caller.
                unsafe {
                    let sums = S::sums::<G, M, R>(x, group, [strip, first], part);
                    for ((totals, sums), x) in totals.iter_mut().zip(sums).zip(x) {
                        let totals = totals[strip].as_chunks_mut::<LANES>().0;
                        for (register, sum) in (first..).zip(sums) {
                            let scale = G::Scale::load_256(scales[register].as_ptr());
                            let scale = _mm256_mul_ps(scale, _mm256_set1_ps(x.scale));
                            let total = totals[register].as_mut_ptr();
                            let sum = _mm256_cvtepi32_ps(sum);
                            let mut sum = _mm256_fmadd_ps(sum, scale, _mm256_loadu_ps(total));
                            if let Some(minima) = minima {
                                let minima = _mm256_loadu_ps(minima[register].as_ptr());
                                sum = _mm256_fnmadd_ps(minima, _mm256_set1_ps(x.sum), sum);
                            }
                            _mm256_storeu_ps(total, sum);
                        }
                    }
                }
            }
        }
    }
}
