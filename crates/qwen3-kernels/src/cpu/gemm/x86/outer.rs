//! Outer products with AVX-512 and its bfloat16 instructions, and with AVX2.

use super::{ROWS_256, ROWS_512};
use crate::cpu::gemm::accumulate::{Sum, accumulate};
use crate::cpu::gemm::bf16::add_pair_product;
use crate::cpu::gemm::block::Block;
use crate::cpu::gemm::few;
use crate::cpu::gemm::microkernel::OuterRegister;
use crate::cpu::gemm::outer::block;
use crate::cpu::gemm::pack::TileShape;
use crate::cpu::gemm::widen::Widen;
use std::arch::x86_64::*;

/// Registers beside each other in a tile: sums fit 16 registers, or 32.
const VECTORS_256: usize = 2;
const VECTORS_512: usize = 4;

/// What [`outer_256`] takes.
pub(crate) const TILE_256: TileShape =
    TileShape { rows: 8 * VECTORS_256, lanes: 8, columns: ROWS_256 };
/// What [`outer_512`] takes.
pub(crate) const TILE_512: TileShape =
    TileShape { rows: 16 * VECTORS_512, lanes: 16, columns: ROWS_512 };

/// # Safety
/// As [`block`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn outer_256<W: Widen>(of: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { block::<__m256, W, VECTORS_256, { TILE_256.rows }>(of) }
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) unsafe fn outer_512<W: Widen>(of: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { block::<__m512, W, VECTORS_512, { TILE_512.rows }>(of) }
}

/// # Safety
/// As [`few::block`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn outer_of_few<W: Widen>(of: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { few::block(of) }
}

/// # Safety
/// As [`accumulate`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) unsafe fn accumulate_256(of: Sum<f32>) {
    // Safety: by the caller.
    unsafe { accumulate::<__m256, VECTORS_256>(of) }
}

/// # Safety
/// As [`accumulate`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) unsafe fn accumulate_512(of: Sum<f32>) {
    // Safety: by the caller.
    unsafe { accumulate::<__m512, VECTORS_512>(of) }
}

/// # Safety
/// As [`accumulate`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(crate) unsafe fn accumulate_pairs_512(of: Sum<u32>) {
    // Safety: by the caller.
    unsafe { accumulate::<Pairs512, VECTORS_512>(of) }
}

// Safety: loads and stores of 16 numbers.
unsafe impl OuterRegister for __m512 {
    type Element = f32;
    type Operand = Self;
    const ROWS: usize = ROWS_512;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller, as in all that follows.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_operand(from: *const f32) -> Self {
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
unsafe impl OuterRegister for __m256 {
    type Element = f32;
    type Operand = Self;
    const ROWS: usize = ROWS_256;
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller, as in all that follows.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_operand(from: *const f32) -> Self {
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

/// Sums with AVX-512 and its bfloat16 products.
#[derive(Clone, Copy)]
struct Pairs512(__m512);

// Safety: loads and stores of 16 numbers, or of 16 pairs.
unsafe impl OuterRegister for Pairs512 {
    type Element = u32;
    type Operand = __m512i;
    const ROWS: usize = ROWS_512;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller, as in all that follows.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_operand(from: *const u32) -> __m512i {
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
        add_pair_product(sum, factor, x)
    }
}
