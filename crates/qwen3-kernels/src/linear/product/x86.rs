//! The product with AVX-512 and its bfloat16 instructions, and with AVX2.

use super::lanes::{Lanes, padded};
use super::outer::{self, Vector};
use super::portable::Wide;
use super::turned;
use super::{Block, Rows, TILE_COLUMNS};
use crate::destination::Destination;
use burn::tensor::{bf16, f16};
use std::arch::x86_64::*;
use std::marker::PhantomData;

/// Rows whose sums fit 32 registers beside four weights and a row.
const ROWS_512: usize = 6;

/// Pairs of bfloat16 products at a time, summed in float32 (`vdpbf16ps`).
struct Avx512Bf16;

// Safety: loads are of 32 numbers of two bytes, or masked.
unsafe impl Lanes<ROWS_512> for Avx512Bf16 {
    type X = bf16;
    type W = bf16;
    type Numbers = __m512i;
    type Sums = __m512;
    const STEP: usize = 32;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // Safety: by the caller, as in all that follows.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn load_x(from: *const bf16) -> __m512i {
        // Safety: 64 bytes by the caller; the instruction takes any address.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_w(from: *const bf16) -> __m512i {
        // Safety: as above.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_x_part(from: *const bf16, n: usize) -> __m512i {
        // Safety: masked lanes are not read.
        unsafe { _mm512_maskz_loadu_epi16((1 << n) - 1, from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_w_part(from: *const bf16, n: usize) -> __m512i {
        // Safety: masked lanes are not read.
        unsafe { _mm512_maskz_loadu_epi16((1 << n) - 1, from.cast()) }
    }

    #[inline(always)]
    unsafe fn add_product(sums: __m512, x: __m512i, w: __m512i) -> __m512 {
        // Safety: by the caller; both types are 64 bytes.
        unsafe {
            let pairs = |x| std::mem::transmute::<__m512i, __m512bh>(x);
            _mm512_dpbf16_ps(sums, pairs(x), pairs(w))
        }
    }

    #[inline(always)]
    unsafe fn fetch<T>(from: *const T) {
        // Safety: a hint, which reads nothing.
        unsafe { _mm_prefetch(from.cast(), _MM_HINT_T0) }
    }

    #[inline(always)]
    unsafe fn sum(sums: [__m512; TILE_COLUMNS]) -> [f32; TILE_COLUMNS] {
        // Safety: by the caller.
        unsafe { sum_512(sums) }
    }
}

/// # Safety
/// The processor has AVX-512.
#[inline(always)]
unsafe fn sum_512([a, b, c, d]: [__m512; 4]) -> [f32; 4] {
    // Safety: by the caller; both types are 16 bytes.
    unsafe {
        let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        // In each quarter: a, b, c and d.
        let abcd = _mm512_add_ps(
            _mm512_shuffle_ps(ab, cd, 0b01_00_01_00),
            _mm512_shuffle_ps(ab, cd, 0b11_10_11_10),
        );
        let halves = _mm256_add_ps(_mm512_castps512_ps256(abcd), _mm512_extractf32x8_ps(abcd, 1));
        let sums = _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
        std::mem::transmute::<__m128, [f32; 4]>(sums)
    }
}

/// Weights that AVX-512 and AVX2 widen.
///
/// # Safety
/// Implementations read no more than they say.
pub(super) unsafe trait Load: Wide {
    /// # Safety
    /// 16 numbers can be read, and the processor has AVX-512.
    unsafe fn load_512(from: *const Self) -> __m512;
    /// # Safety
    /// 8 numbers can be read, and the processor has AVX2 and F16C.
    unsafe fn load_256(from: *const Self) -> __m256;
}

// Safety: one load of the register's width in numbers of this type.
unsafe impl Load for f32 {
    #[inline(always)]
    unsafe fn load_512(from: *const Self) -> __m512 {
        // Safety: by the caller.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_256(from: *const Self) -> __m256 {
        // Safety: by the caller.
        unsafe { _mm256_loadu_ps(from) }
    }
}

// Safety: one load of the register's width in numbers of this type.
unsafe impl Load for bf16 {
    #[inline(always)]
    unsafe fn load_512(from: *const Self) -> __m512 {
        // Safety: by the caller. The upper half of a float32.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))
        }
    }

    #[inline(always)]
    unsafe fn load_256(from: *const Self) -> __m256 {
        // Safety: by the caller.
        unsafe {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))
        }
    }
}

// Safety: one load of the register's width in numbers of this type.
unsafe impl Load for f16 {
    #[inline(always)]
    unsafe fn load_512(from: *const Self) -> __m512 {
        // Safety: by the caller.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_256(from: *const Self) -> __m256 {
        // Safety: by the caller.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
}

/// Float32 products in 512 bits.
struct Avx512<W>(PhantomData<W>);

// Safety: loads are of 16 numbers, or of a padded copy.
unsafe impl<W: Load> Lanes<ROWS_512> for Avx512<W> {
    type X = f32;
    type W = W;
    type Numbers = __m512;
    type Sums = __m512;
    const STEP: usize = 16;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // Safety: by the caller, as in all that follows.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn load_x(from: *const f32) -> __m512 {
        // Safety: by the caller.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_w(from: *const W) -> __m512 {
        // Safety: by the caller.
        unsafe { W::load_512(from) }
    }

    #[inline(always)]
    unsafe fn load_x_part(from: *const f32, n: usize) -> __m512 {
        // Safety: the copy has 16 numbers.
        unsafe { _mm512_loadu_ps(padded::<f32, 16>(from, n, 0.0).as_ptr()) }
    }

    #[inline(always)]
    unsafe fn load_w_part(from: *const W, n: usize) -> __m512 {
        // Safety: the copy has 16 numbers.
        unsafe { W::load_512(padded::<W, 16>(from, n, W::ZERO).as_ptr()) }
    }

    #[inline(always)]
    unsafe fn add_product(sums: __m512, x: __m512, w: __m512) -> __m512 {
        // Safety: by the caller.
        unsafe { _mm512_fmadd_ps(x, w, sums) }
    }

    #[inline(always)]
    unsafe fn fetch<T>(from: *const T) {
        // Safety: a hint, which reads nothing.
        unsafe { _mm_prefetch(from.cast(), _MM_HINT_T0) }
    }

    #[inline(always)]
    unsafe fn sum(sums: [__m512; TILE_COLUMNS]) -> [f32; TILE_COLUMNS] {
        // Safety: by the caller.
        unsafe { sum_512(sums) }
    }
}

/// # Safety
/// As [`super::block::block`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn avx512_bf16(block: &Block<bf16, bf16>) {
    // Safety: by the caller.
    unsafe { super::block::block::<Avx512Bf16, ROWS_512>(block) }
}

/// # Safety
/// As [`super::block::block`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn in_512<W: Load>(block: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { super::block::block::<Avx512<W>, ROWS_512>(block) }
}

// Safety: loads and stores of 16 numbers.
unsafe impl Vector for __m512 {
    type Number = f32;
    type Numbers = Self;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller, as in all that follows.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_numbers(from: *const f32) -> Self {
        // Safety: by the caller.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // Safety: by the caller.
        unsafe { _mm512_storeu_ps(to, self) };
    }

    #[inline(always)]
    unsafe fn add(self, factor: f32, x: Self) -> Self {
        // Safety: by the caller.
        unsafe { _mm512_fmadd_ps(_mm512_set1_ps(factor), x, self) }
    }

    #[inline(always)]
    fn add_one(sum: f32, factor: f32, x: f32) -> f32 {
        sum + factor * x
    }
}

// Safety: loads and stores of 8 numbers.
unsafe impl Vector for __m256 {
    type Number = f32;
    type Numbers = Self;
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller, as in all that follows.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_numbers(from: *const f32) -> Self {
        // Safety: by the caller.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // Safety: by the caller.
        unsafe { _mm256_storeu_ps(to, self) };
    }

    #[inline(always)]
    unsafe fn add(self, factor: f32, x: Self) -> Self {
        // Safety: by the caller.
        unsafe { _mm256_fmadd_ps(_mm256_set1_ps(factor), x, self) }
    }

    #[inline(always)]
    fn add_one(sum: f32, factor: f32, x: f32) -> f32 {
        sum + factor * x
    }
}

/// In 512 bits or in 256.
///
/// # Safety
/// As [`outer::add`].
pub(super) unsafe fn add_weighted_rows(
    wide: bool,
    shape: [usize; 3],
    p: Rows<f32>,
    v: Rows<f32>,
    out: Destination,
) {
    // Safety: by the caller.
    unsafe { if wide { add_512(shape, p, v, out) } else { add_256(shape, p, v, out) } }
}

/// # Safety
/// As [`outer::add`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn add_512(shape: [usize; 3], p: Rows<f32>, v: Rows<f32>, out: Destination) {
    // Safety: by the caller.
    unsafe { outer::add::<__m512, 4, ROWS_512>(shape, p, v, out) }
}

/// # Safety
/// As [`outer::add`].
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn add_256(shape: [usize; 3], p: Rows<f32>, v: Rows<f32>, out: Destination) {
    // Safety: by the caller.
    unsafe { outer::add::<__m256, { turned::VECTORS_256 }, { turned::TILE }>(shape, p, v, out) }
}
