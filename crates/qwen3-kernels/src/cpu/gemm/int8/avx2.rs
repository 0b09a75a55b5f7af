//! AVX2, alone and with products of 8 bits (AVX-VNNI).

use super::lanes::{InQuads, pack};
use super::quantize::{QuantizedBlock, QuantizedX};
use super::strips::{BlockRows, Group, QUAD};
use super::{By, Instructions, NUMBERS, Totals, block, gemm_by};
use crate::cpu::gemm::output::{Input, Output};
use crate::cpu::gemm::tasks::Task;
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

pub(super) struct Avx2;
pub(super) struct AvxVnni;

// Safety: reads through slices, and a block's bytes.
unsafe impl Instructions for AvxVnni {
    #[inline(always)]
    unsafe fn pack(rows: &BlockRows, strips: &mut [[Group; 2]], which: usize) {
        // Safety: by the caller.
        unsafe { pack::<__m256i, InQuads, 128>(rows, strips, which) }
    }

    #[inline(always)]
    unsafe fn add<const M: usize>(
        _: Dtype,
        totals: &mut [Totals; M],
        x: &[[QuantizedBlock; M]],
        strips: &[[Group; 2]],
    ) {
        // Safety: by the caller.
        unsafe { add::<Quads, M, 2>(totals, x, strips) }
    }
}

/// What is added to the codes of q8_0, none.
const WIDE: u8 = 0;
/// What is added to codes of up to 5 bits: they are from 0 to 31 then.
const NARROW: u8 = 16;

// Safety: reads through slices, and a block's bytes.
unsafe impl Instructions for Avx2 {
    #[inline(always)]
    unsafe fn pack(rows: &BlockRows, strips: &mut [[Group; 2]], which: usize) {
        // Safety: by the caller.
        unsafe {
            match rows.dtype {
                Dtype::Q8_0 => pack::<__m256i, InQuads, WIDE>(rows, strips, which),
                _ => pack::<__m256i, InQuads, NARROW>(rows, strips, which),
            }
        }
    }

    #[inline(always)]
    unsafe fn add<const M: usize>(
        dtype: Dtype,
        totals: &mut [Totals; M],
        x: &[[QuantizedBlock; M]],
        strips: &[[Group; 2]],
    ) {
        // Safety: by the caller.
        unsafe {
            match dtype {
                Dtype::Q8_0 => add::<Pairs, M, 1>(totals, x, strips),
                _ => add::<NarrowPairs, M, 1>(totals, x, strips),
            }
        }
    }
}

/// How the sums of a block are computed.
///
/// # Safety
/// Implementations read no more than they are given.
unsafe trait Sums {
    /// Of each row of `x` and the weight rows of `R` registers.
    ///
    /// # Safety
    /// The processor has the instructions, and can read `R` registers from the
    /// first quad of `codes` on and from each after it.
    unsafe fn sums<const M: usize, const R: usize>(
        x: &[QuantizedBlock; M],
        codes: *const __m256i,
    ) -> [[__m256i; R]; M];
}

/// Registers of a quad of a strip.
const REGISTERS: usize = 2;

/// By `vpdpbusd`, from codes that are 128 too large.
struct Quads;

// Safety: `R` registers of each quad, and `x`.
unsafe impl Sums for Quads {
    #[inline(always)]
    unsafe fn sums<const M: usize, const R: usize>(
        x: &[QuantizedBlock; M],
        codes: *const __m256i,
    ) -> [[__m256i; R]; M] {
        // Safety: by the caller.
        unsafe {
            let mut sums = [[_mm256_setzero_si256(); R]; M];
            for (sums, x) in sums.iter_mut().zip(x) {
                *sums = [_mm256_set1_epi32(x.start); R];
            }
            for quad in 0..NUMBERS / QUAD {
                let w: [_; R] = load(codes, quad);
                for (sums, x) in sums.iter_mut().zip(x) {
                    let x = quad_of(x, quad);
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = _mm256_dpbusd_avx_epi32(*sum, w, x);
                    }
                }
            }
            sums
        }
    }
}

/// By `vpmaddubsw` of the codes without their signs, which the numbers of `x` take over: a
/// pair is at most 2 · 128 · 127, which 16 bits hold.
struct Pairs;

// Safety: `R` registers of each quad, and `x`.
unsafe impl Sums for Pairs {
    #[inline(always)]
    unsafe fn sums<const M: usize, const R: usize>(
        x: &[QuantizedBlock; M],
        codes: *const __m256i,
    ) -> [[__m256i; R]; M] {
        // Safety: by the caller.
        unsafe {
            let mut sums = [[_mm256_setzero_si256(); R]; M];
            for quad in 0..NUMBERS / QUAD {
                let w: [_; R] = load(codes, quad);
                let mut sizes = w;
                sizes.iter_mut().for_each(|w| *w = _mm256_abs_epi8(*w));
                for (sums, x) in sums.iter_mut().zip(x) {
                    let x = quad_of(x, quad);
                    for ((sum, w), size) in sums.iter_mut().zip(w).zip(sizes) {
                        let pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(x, w));
                        let quads = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
                        *sum = _mm256_add_epi32(*sum, quads);
                    }
                }
            }
            sums
        }
    }
}

/// By `vpmaddubsw` of codes from 0 to 31, which are 16 too large: four pairs are at most
/// 8 · 31 · 127, which 16 bits hold.
struct NarrowPairs;

// Safety: `R` registers of each quad, and `x`.
unsafe impl Sums for NarrowPairs {
    #[inline(always)]
    unsafe fn sums<const M: usize, const R: usize>(
        x: &[QuantizedBlock; M],
        codes: *const __m256i,
    ) -> [[__m256i; R]; M] {
        const AT_ONCE: usize = 4;
        // Safety: by the caller.
        unsafe {
            let mut sums = [[_mm256_setzero_si256(); R]; M];
            for (sums, x) in sums.iter_mut().zip(x) {
                // For codes that are 128 too large.
                let start = x.start >> (128 / NARROW).trailing_zeros();
                *sums = [_mm256_set1_epi32(start); R];
            }
            for first in (0..NUMBERS / QUAD).step_by(AT_ONCE) {
                let mut pairs = [[_mm256_setzero_si256(); R]; M];
                for quad in first..first + AT_ONCE {
                    let w: [_; R] = load(codes, quad);
                    for (pairs, x) in pairs.iter_mut().zip(x) {
                        let x = quad_of(x, quad);
                        for (pairs, w) in pairs.iter_mut().zip(w) {
                            *pairs = _mm256_add_epi16(*pairs, _mm256_maddubs_epi16(w, x));
                        }
                    }
                }
                for (sum, pairs) in sums.as_flattened_mut().iter_mut().zip(pairs.as_flattened()) {
                    let quads = _mm256_madd_epi16(*pairs, _mm256_set1_epi16(1));
                    *sum = _mm256_add_epi32(*sum, quads);
                }
            }
            sums
        }
    }
}

/// # Safety
/// As [`Sums::sums`].
#[inline(always)]
unsafe fn load<const R: usize>(codes: *const __m256i, quad: usize) -> [__m256i; R] {
    // Safety: by the caller.
    unsafe {
        let mut registers = [_mm256_setzero_si256(); R];
        for (at, register) in registers.iter_mut().enumerate() {
            *register = _mm256_loadu_si256(codes.add(quad * REGISTERS + at));
        }
        registers
    }
}

/// # Safety
/// As [`Sums::sums`].
#[inline(always)]
unsafe fn quad_of(x: &QuantizedBlock, quad: usize) -> __m256i {
    // Safety: by the caller.
    unsafe {
        let quads = x.codes.as_ptr().cast::<i32>();
        _mm256_set1_epi32(quads.add(quad).read_unaligned())
    }
}

/// As [`Instructions::add`], `R` registers of columns at a time.
///
/// # Safety
/// The processor has the instructions of `S`.
#[inline(always)]
unsafe fn add<S: Sums, const M: usize, const R: usize>(
    totals: &mut [Totals; M],
    x: &[[QuantizedBlock; M]],
    strips: &[[Group; 2]],
) {
    for which in 0..2 {
        for first in (0..REGISTERS).step_by(R) {
            for (x, groups) in x.iter().zip(strips) {
                let group = &groups[which];
                // Safety: a quad is of so many registers; by the caller.
                unsafe {
                    let codes = group.codes.as_ptr().cast::<__m256i>().add(first);
                    let sums = S::sums::<M, R>(x, codes);
                    for ((totals, sums), x) in totals.iter_mut().zip(sums).zip(x) {
                        let x = _mm256_set1_ps(x.scale);
                        for (column, sum) in (LANES * first..).step_by(LANES).zip(sums) {
                            let scale = _mm256_loadu_ps(group.scales[column..][..LANES].as_ptr());
                            let scale = _mm256_mul_ps(scale, x);
                            let total = totals[which][column..][..LANES].as_mut_ptr();
                            let sum = _mm256_cvtepi32_ps(sum);
                            let sum = _mm256_fmadd_ps(sum, scale, _mm256_loadu_ps(total));
                            _mm256_storeu_ps(total, sum);
                        }
                    }
                }
            }
        }
    }
}
