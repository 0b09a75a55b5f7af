//! Sums of weighted rows from pairs of bfloat16 numbers.
//!
//! A pair is two numbers that are multiplied with another pair and summed, the
//! first one in the lower half: two columns of the left side, two rows of the right.

use super::outer::{self, Vector};
use super::{Rows, nearest_bf16};
use crate::destination::Destination;
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Rows of a tile in plain Rust.
const MAX_ROWS: usize = 2;
/// Rows whose sums fit 32 registers.
#[cfg(target_arch = "x86_64")]
const ROWS_512: usize = 6;
/// Numbers that are computed at the same time.
const LANES: usize = 16;

/// `out += p · v` from pairs, on this thread; `p` is `[m, k]`, `v` `[k, n]`.
///
/// # Safety
/// As [`super::add_weighted_rows`].
///
/// # Panics
/// If the slices are smaller.
pub(crate) unsafe fn add_weighted_pairs(
    isa: Isa,
    shape: [usize; 3],
    p: Rows<u32>,
    v: Rows<u32>,
    out: Destination,
) {
    // Safety: the processor has the instructions (`Isa`), and by the caller.
    unsafe {
        match isa {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Isa::AmxBf16 => super::amx::add_weighted_pairs(shape, p, v, out),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => in_512(shape, p, v, out),
            _ => outer::add::<Plain, 4, MAX_ROWS>(shape, p, v, out),
        }
    }
}

/// Two numbers, rounded.
#[inline(always)]
pub(crate) fn pair(first: f32, second: f32) -> u32 {
    u32::from(nearest_bf16(first).to_bits()) | u32::from(nearest_bf16(second).to_bits()) << 16
}

/// The two numbers of a pair.
#[inline(always)]
fn wide(pair: u32) -> [f32; 2] {
    [f32::from_bits(pair << 16), f32::from_bits(pair & 0xffff_0000)]
}

/// `sum + a · x + b · y`, of pairs `(a, b)` and `(x, y)`.
#[inline(always)]
fn add_products(sum: f32, factor: u32, x: u32) -> f32 {
    let ([a, b], [x, y]) = (wide(factor), wide(x));
    sum + (a * x + b * y)
}

/// Sums in plain Rust.
#[derive(Clone, Copy)]
struct Plain([f32; LANES]);

// Safety: reads and writes through arrays of this length.
unsafe impl Vector for Plain {
    type Number = u32;
    type Numbers = [u32; LANES];
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller, as in all that follows.
        Self(unsafe { from.cast::<[f32; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn load_numbers(from: *const u32) -> Self::Numbers {
        // Safety: by the caller.
        unsafe { from.cast::<[u32; LANES]>().read() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // Safety: by the caller.
        unsafe { to.cast::<[f32; LANES]>().write(self.0) };
    }

    #[inline(always)]
    unsafe fn add(self, factor: u32, x: Self::Numbers) -> Self {
        Self(std::array::from_fn(|lane| add_products(self.0[lane], factor, x[lane])))
    }

    #[inline(always)]
    fn add_one(sum: f32, factor: u32, x: u32) -> f32 {
        add_products(sum, factor, x)
    }
}

/// Sums with AVX-512 and its bfloat16 products.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx512(__m512);

// Safety: loads and stores of 16 numbers, or of 16 pairs.
#[cfg(target_arch = "x86_64")]
unsafe impl Vector for Avx512 {
    type Number = u32;
    type Numbers = __m512i;
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller, as in all that follows.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_numbers(from: *const u32) -> __m512i {
        // Safety: by the caller.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // Safety: by the caller.
        unsafe { _mm512_storeu_ps(to, self.0) };
    }

    #[inline(always)]
    unsafe fn add(self, factor: u32, x: __m512i) -> Self {
        // Safety: by the caller; both types are 64 bytes.
        unsafe {
            let factors = _mm512_set1_epi32(factor.cast_signed());
            let factors = std::mem::transmute::<__m512i, __m512bh>(factors);
            let x = std::mem::transmute::<__m512i, __m512bh>(x);
            Self(_mm512_dpbf16_ps(self.0, factors, x))
        }
    }

    #[inline(always)]
    fn add_one(sum: f32, factor: u32, x: u32) -> f32 {
        add_products(sum, factor, x)
    }
}

/// # Safety
/// As [`outer::add`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn in_512(shape: [usize; 3], p: Rows<u32>, v: Rows<u32>, out: Destination) {
    // Safety: by the caller.
    unsafe { outer::add::<Avx512, 4, ROWS_512>(shape, p, v, out) }
}
