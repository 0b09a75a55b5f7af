//! Dot products with AVX-512, and with its bfloat16 instructions.

use super::ROWS_512;
use crate::cpu::gemm::block::Block;
use crate::cpu::gemm::dot::block;
use crate::cpu::gemm::microkernel::{DOT_COLUMNS, DotRegisters, padded};
use crate::cpu::gemm::widen::Widen;
use burn::tensor::bf16;
use std::arch::x86_64::*;
use std::marker::PhantomData;

/// Pairs of bfloat16 products at a time, summed in float32 (`vdpbf16ps`).
struct Avx512Bf16;

// Safety: loads are of 32 numbers of two bytes, or masked.
unsafe impl DotRegisters for Avx512Bf16 {
    type X = bf16;
    type W = bf16;
    type Operand = __m512i;
    type Sums = __m512;
    const ROWS: usize = ROWS_512;
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
        unsafe { _mm_prefetch(from.cast(), _MM_HINT_T1) }
    }

    #[inline(always)]
    unsafe fn sum(sums: [__m512; DOT_COLUMNS]) -> [f32; DOT_COLUMNS] {
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

/// Float32 products in 512 bits.
struct Avx512<W>(PhantomData<W>);

// Safety: loads are of 16 numbers, or of a padded copy.
unsafe impl<W: Widen> DotRegisters for Avx512<W> {
    type X = f32;
    type W = W;
    type Operand = __m512;
    type Sums = __m512;
    const ROWS: usize = ROWS_512;
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
        unsafe { _mm_prefetch(from.cast(), _MM_HINT_T1) }
    }

    #[inline(always)]
    unsafe fn sum(sums: [__m512; DOT_COLUMNS]) -> [f32; DOT_COLUMNS] {
        // Safety: by the caller.
        unsafe { sum_512(sums) }
    }
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(crate) unsafe fn dot_bf16_512(of: &Block<bf16, bf16>) {
    // Safety: by the caller.
    unsafe { block::<Avx512Bf16>(of) }
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) unsafe fn dot_512<W: Widen>(of: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { block::<Avx512<W>>(of) }
}
