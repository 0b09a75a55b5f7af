//! The product with NEON, and with the bfloat16 products of Armv8.6.

use super::lanes::{Lanes, padded};
use super::outer::{self, Vector};
use super::portable::Wide;
use super::{Block, Rows, TILE_COLUMNS};
use crate::destination::Destination;
use burn::tensor::{bf16, f16};
use std::arch::aarch64::*;
use std::arch::asm;
use std::marker::PhantomData;

/// Rows whose sums fit 32 registers beside four weights and a row.
const MAX_ROWS: usize = 6;

/// Weights that NEON widens.
///
/// # Safety
/// Implementations read no more than they say.
pub(super) unsafe trait Load: Wide {
    /// # Safety
    /// 4 numbers can be read.
    unsafe fn load_128(from: *const Self) -> float32x4_t;
}

// Safety: one load of 4 numbers of this type.
unsafe impl Load for f32 {
    #[inline(always)]
    unsafe fn load_128(from: *const Self) -> float32x4_t {
        // Safety: by the caller.
        unsafe { vld1q_f32(from) }
    }
}

// Safety: one load of 4 numbers of this type.
unsafe impl Load for bf16 {
    #[inline(always)]
    unsafe fn load_128(from: *const Self) -> float32x4_t {
        // Safety: by the caller. The upper half of a float32.
        unsafe { vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(from.cast()))) }
    }
}

// Safety: one load of 4 numbers of this type.
unsafe impl Load for f16 {
    #[inline(always)]
    unsafe fn load_128(from: *const Self) -> float32x4_t {
        // Safety: by the caller.
        unsafe { vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from.cast()))) }
    }
}

/// Float32 products.
struct Neon<W>(PhantomData<W>);

// Safety: loads are of 4 numbers, or of a padded copy.
unsafe impl<W: Load> Lanes<MAX_ROWS> for Neon<W> {
    type X = f32;
    type W = W;
    type Numbers = float32x4_t;
    type Sums = float32x4_t;
    const STEP: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> float32x4_t {
        // Safety: by the caller, as in all that follows.
        unsafe { vdupq_n_f32(0.0) }
    }

    #[inline(always)]
    unsafe fn load_x(from: *const f32) -> float32x4_t {
        // Safety: by the caller.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn load_w(from: *const W) -> float32x4_t {
        // Safety: by the caller.
        unsafe { W::load_128(from) }
    }

    #[inline(always)]
    unsafe fn load_x_part(from: *const f32, n: usize) -> float32x4_t {
        // Safety: the copy has 4 numbers.
        unsafe { vld1q_f32(padded::<f32, 4>(from, n, 0.0).as_ptr()) }
    }

    #[inline(always)]
    unsafe fn load_w_part(from: *const W, n: usize) -> float32x4_t {
        // Safety: the copy has 4 numbers.
        unsafe { W::load_128(padded::<W, 4>(from, n, W::ZERO).as_ptr()) }
    }

    #[inline(always)]
    unsafe fn add_product(sums: float32x4_t, x: float32x4_t, w: float32x4_t) -> float32x4_t {
        // Safety: by the caller.
        unsafe { vfmaq_f32(sums, x, w) }
    }

    #[inline(always)]
    unsafe fn sum(sums: [float32x4_t; TILE_COLUMNS]) -> [f32; TILE_COLUMNS] {
        // Safety: by the caller.
        unsafe { sum_128(sums) }
    }
}

/// Pairs of bfloat16 products at a time, summed in float32 (`bfdot`).
struct Bf16Products;

// Safety: loads are of 8 numbers, or of a padded copy.
unsafe impl Lanes<MAX_ROWS> for Bf16Products {
    type X = bf16;
    type W = bf16;
    type Numbers = uint16x8_t;
    type Sums = float32x4_t;
    const STEP: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> float32x4_t {
        // Safety: by the caller, as in all that follows.
        unsafe { vdupq_n_f32(0.0) }
    }

    #[inline(always)]
    unsafe fn load_x(from: *const bf16) -> uint16x8_t {
        // Safety: by the caller.
        unsafe { vld1q_u16(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_w(from: *const bf16) -> uint16x8_t {
        // Safety: by the caller.
        unsafe { vld1q_u16(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_x_part(from: *const bf16, n: usize) -> uint16x8_t {
        // Safety: the copy has 8 numbers.
        unsafe { vld1q_u16(padded::<bf16, 8>(from, n, bf16::ZERO).as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn load_w_part(from: *const bf16, n: usize) -> uint16x8_t {
        // Safety: the copy has 8 numbers.
        unsafe { vld1q_u16(padded::<bf16, 8>(from, n, bf16::ZERO).as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn add_product(sums: float32x4_t, x: uint16x8_t, w: uint16x8_t) -> float32x4_t {
        // Safety: by the caller.
        unsafe { bfdot(sums, x, w) }
    }

    #[inline(always)]
    unsafe fn sum(sums: [float32x4_t; TILE_COLUMNS]) -> [f32; TILE_COLUMNS] {
        // Safety: by the caller.
        unsafe { sum_128(sums) }
    }
}

/// In each lane, `sums + x₀·w₀ + x₁·w₁`: `vbfdotq_f32`, which Rust 1.95 only has
/// as unstable.
///
/// # Safety
/// The processor has the bfloat16 instructions.
#[inline]
#[target_feature(enable = "neon,bf16")]
unsafe fn bfdot(mut sums: float32x4_t, x: uint16x8_t, w: uint16x8_t) -> float32x4_t {
    // Safety: by the caller; the instruction touches these registers alone.
    unsafe {
        asm!(
            "bfdot {sums:v}.4s, {x:v}.8h, {w:v}.8h",
            sums = inout(vreg) sums,
            x = in(vreg) x,
            w = in(vreg) w,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// # Safety
/// The processor has NEON.
#[inline(always)]
unsafe fn sum_128([a, b, c, d]: [float32x4_t; TILE_COLUMNS]) -> [f32; TILE_COLUMNS] {
    let mut sums = [0.0; TILE_COLUMNS];
    // Safety: by the caller; both have 16 bytes.
    unsafe { vst1q_f32(sums.as_mut_ptr(), vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d))) };
    sums
}

/// # Safety
/// As [`super::block::block`].
#[target_feature(enable = "neon,bf16")]
pub(super) unsafe fn bf16_products(block: &Block<bf16, bf16>) {
    // Safety: by the caller.
    unsafe { super::block::block::<Bf16Products, MAX_ROWS>(block) }
}

/// # Safety
/// As [`super::block::block`].
#[target_feature(enable = "neon")]
pub(super) unsafe fn in_128<W: Load>(block: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { super::block::block::<Neon<W>, MAX_ROWS>(block) }
}

// Safety: loads and stores of 4 numbers.
unsafe impl Vector for float32x4_t {
    type Number = f32;
    type Numbers = Self;
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller, as in all that follows.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn load_numbers(from: *const f32) -> Self {
        // Safety: by the caller.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // Safety: by the caller.
        unsafe { vst1q_f32(to, self) };
    }

    #[inline(always)]
    unsafe fn add(self, factor: f32, x: Self) -> Self {
        // Safety: by the caller.
        unsafe { vfmaq_n_f32(self, x, factor) }
    }

    #[inline(always)]
    fn add_one(sum: f32, factor: f32, x: f32) -> f32 {
        sum + factor * x
    }
}

/// # Safety
/// As [`outer::add`].
#[target_feature(enable = "neon")]
pub(super) unsafe fn add_weighted_rows(
    shape: [usize; 3],
    p: Rows<f32>,
    v: Rows<f32>,
    out: Destination,
) {
    // Safety: by the caller.
    unsafe { outer::add::<float32x4_t, 4, MAX_ROWS>(shape, p, v, out) }
}
