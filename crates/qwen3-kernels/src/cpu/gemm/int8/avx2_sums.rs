//! The sums of products of a block with AVX2, alone and with products of 8 bits (AVX-VNNI).

use super::groups::{Group, quads_of};
use super::lanes::Lanes;
use super::quantize::QuantizedBlock;
use std::arch::x86_64::*;

/// How the sums of a block are computed.
///
/// # Safety
/// Implementations read no more than they are given.
pub(super) unsafe trait Sums {
    /// Of a part of each row of `x` and of `R` registers of rows of a strip, from register `first`
    /// on.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn sums<G: Group, const M: usize, const R: usize>(
        x: &[QuantizedBlock; M],
        group: &G,
        strip_first: [usize; 2],
        part: usize,
    ) -> [[__m256i; R]; M];
}

/// By `vpdpbusd`, from codes that are so much too large.
pub(super) struct Quads<const OFFSET: i32>;

// Safety: reads through references.
unsafe impl<const OFFSET: i32> Sums for Quads<OFFSET> {
    #[inline(always)]
    unsafe fn sums<G: Group, const M: usize, const R: usize>(
        x: &[QuantizedBlock; M],
        group: &G,
        [strip, first]: [usize; 2],
        part: usize,
    ) -> [[__m256i; R]; M] {
        // Safety: by the caller.
        unsafe {
            let mut sums = starts::<OFFSET, G, M, R>(x, part);
            for quad in quads_of::<G>(part) {
                let w: [_; R] = load(group, [strip, first], quad);
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

/// By `vpmaddubsw` of codes that are 128 too large, brought back and without their signs, which
/// the numbers of `x` take over: a pair is at most 2 · 128 · 127, which 16 bits hold.
pub(super) struct Pairs;

// Safety: reads through references.
unsafe impl Sums for Pairs {
    #[inline(always)]
    unsafe fn sums<G: Group, const M: usize, const R: usize>(
        x: &[QuantizedBlock; M],
        group: &G,
        [strip, first]: [usize; 2],
        part: usize,
    ) -> [[__m256i; R]; M] {
        // Safety: by the caller.
        unsafe {
            let mut sums = [[_mm256_setzero_si256(); R]; M];
            for quad in quads_of::<G>(part) {
                let mut w: [_; R] = load(group, [strip, first], quad);
                w.iter_mut().for_each(|w| *w = w.add(Lanes::each([128; 16])));
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

/// By `vpmaddubsw` of codes without a sign, which are so much too large, `AT_ONCE` quads in 16
/// bits: four of codes up to 31, which are at most 8 · 31 · 127, or two of codes up to 63.
pub(super) struct NarrowPairs<const OFFSET: i32, const AT_ONCE: usize>;

// Safety: reads through references.
unsafe impl<const OFFSET: i32, const AT_ONCE: usize> Sums for NarrowPairs<OFFSET, AT_ONCE> {
    #[inline(always)]
    unsafe fn sums<G: Group, const M: usize, const R: usize>(
        x: &[QuantizedBlock; M],
        group: &G,
        [strip, first]: [usize; 2],
        part: usize,
    ) -> [[__m256i; R]; M] {
        // Safety: by the caller.
        unsafe {
            let mut sums = starts::<OFFSET, G, M, R>(x, part);
            for first_quad in quads_of::<G>(part).step_by(AT_ONCE) {
                let mut pairs = [[_mm256_setzero_si256(); R]; M];
                for quad in first_quad..first_quad + AT_ONCE {
                    let w: [_; R] = load(group, [strip, first], quad);
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

/// Where sums begin with codes that are `OFFSET` too large.
///
/// # Safety
/// As [`Sums::sums`].
#[inline(always)]
unsafe fn starts<const OFFSET: i32, G: Group, const M: usize, const R: usize>(
    x: &[QuantizedBlock; M],
    part: usize,
) -> [[__m256i; R]; M] {
    // Safety: by the caller.
    unsafe {
        let mut sums = [[_mm256_setzero_si256(); R]; M];
        for (sums, x) in sums.iter_mut().zip(x) {
            *sums = [_mm256_set1_epi32(x.start::<OFFSET>(part, G::PARTS)); R];
        }
        sums
    }
}

/// `R` registers of a quad of a strip, from register `first` on.
///
/// # Safety
/// As [`Sums::sums`].
#[inline(always)]
unsafe fn load<G: Group, const R: usize>(
    group: &G,
    [strip, first]: [usize; 2],
    quad: usize,
) -> [__m256i; R] {
    // Safety: by the caller.
    unsafe {
        let mut registers = [_mm256_setzero_si256(); R];
        for (at, register) in registers.iter_mut().enumerate() {
            *register = group.quad(strip, quad, (first + at) * size_of::<__m256i>());
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
