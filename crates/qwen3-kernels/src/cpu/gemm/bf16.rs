//! Rounding to bfloat16, and pairs of such numbers.
//!
//! A pair is what processors multiply with another pair and sum, the first one in
//! the lower half: two columns of the left side, two rows of the right.

use crate::cpu::isa::Isa;
use crate::cpu::vectorized::vectorized;
use burn::tensor::bf16;
use rayon::prelude::*;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// To the nearest bfloat16, ties to even.
#[inline(always)]
pub(crate) fn nearest_bf16(x: f32) -> bf16 {
    let bits = x.to_bits();
    // Wraps for some NaN, and could carry others over into infinity.
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    bf16::from_bits(if x.is_nan() { 0x7fc0 } else { nearest as u16 })
}

/// `x` rounded to the nearest, ties to even, in parallel.
pub(crate) fn round(isa: Isa, x: &[f32], rounded: &mut [bf16]) {
    const TASK: usize = 32 * 1024;
    rounded.par_chunks_mut(TASK).zip(x.par_chunks(TASK)).for_each(|(rounded, x)| {
        round_chunk(isa, x, rounded);
    });
}

vectorized! {
    /// [`round`] on this thread.
    pub(crate) fn round_chunk(x: &[f32], rounded: &mut [bf16]) {
        for (rounded, &x) in rounded.iter_mut().zip(x) {
            *rounded = nearest_bf16(x);
        }
    }
}

/// [`round_chunk`] of numbers none of which is denormal, or which meet products that take
/// denormal numbers for zeros.
pub(crate) fn round_normal(isa: Isa, x: &[f32], rounded: &mut [bf16]) {
    match isa {
        // Safety: the processor has the instructions (`Isa`).
        #[cfg(target_arch = "x86_64")]
        Isa::AmxBf16 | Isa::Avx512Bf16 => unsafe { round_normal_512(x, rounded) },
        _ => round_chunk(isa, x, rounded),
    }
}

/// [`round_normal`] by the processor's own rounding.
///
/// # Safety
/// The processor has AVX-512 with bfloat16.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn round_normal_512(x: &[f32], rounded: &mut [bf16]) {
    const LANES: usize = 32;
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (rounded, rounded_rest) = rounded.as_chunks_mut::<LANES>();
    for (x, rounded) in x.iter().zip(rounded) {
        // Safety: 32 numbers in both.
        unsafe {
            let [low, high] = [0, 16].map(|at| _mm512_loadu_ps(x.as_ptr().add(at)));
            let numbers = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(rounded.as_mut_ptr().cast(), numbers);
        }
    }
    for (x, rounded) in x_rest.iter().zip(rounded_rest) {
        *rounded = nearest_bf16(*x);
    }
}

/// Two numbers, rounded.
#[inline(always)]
pub(crate) fn pair(first: f32, second: f32) -> u32 {
    u32::from(nearest_bf16(first).to_bits()) | u32::from(nearest_bf16(second).to_bits()) << 16
}

/// The two numbers of a pair.
#[inline(always)]
fn widened(pair: u32) -> [f32; 2] {
    [f32::from_bits(pair << 16), f32::from_bits(pair & 0xffff_0000)]
}

/// `sum + a · x + b · y`, of pairs `(a, b)` and `(x, y)`.
#[inline(always)]
pub(super) fn add_pair_product(sum: f32, factor: u32, x: u32) -> f32 {
    let ([a, b], [x, y]) = (widened(factor), widened(x));
    sum + (a * x + b * y)
}
