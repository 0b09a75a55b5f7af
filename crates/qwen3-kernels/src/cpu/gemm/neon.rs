//! The registers of 64-bit Arm processors, with the bfloat16 products of Armv8.6, and
//! what is compiled for them.

use super::accumulate::{Sum, accumulate};
use super::block::Block;
use super::dot::block;
use super::microkernel::{DOT_COLUMNS, DotRegisters, OuterRegister, padded};
use super::widen::Widen;
use burn::tensor::bf16;
use std::arch::aarch64::*;
use std::arch::asm;
use std::marker::PhantomData;

/// Rows whose sums fit 32 registers beside four weights and a row.
const ROWS: usize = 6;

/// # Safety
/// As [`block`].
#[target_feature(enable = "neon,bf16")]
pub(crate) unsafe fn dot_bf16(of: &Block<bf16, bf16>) {
    // Safety: by the caller.
    unsafe { block::<Bf16Products>(of) }
}

/// # Safety
/// As [`block`].
#[target_feature(enable = "neon")]
pub(crate) unsafe fn dot<W: Widen>(of: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { block::<Neon<W>>(of) }
}

/// # Safety
/// As [`accumulate`].
#[target_feature(enable = "neon")]
pub(crate) unsafe fn accumulate_f32(of: Sum<f32>) {
    // Safety: by the caller.
    unsafe { accumulate::<float32x4_t, 4>(of) }
}

/// Float32 products.
struct Neon<W>(PhantomData<W>);

// Safety: loads are of 4 numbers, or of a padded copy.
unsafe impl<W: Widen> DotRegisters for Neon<W> {
    type X = f32;
    type W = W;
    type Operand = float32x4_t;
    type Sums = float32x4_t;
    const ROWS: usize = ROWS;
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
    unsafe fn sum(sums: [float32x4_t; DOT_COLUMNS]) -> [f32; DOT_COLUMNS] {
        // Safety: by the caller.
        unsafe { sum_128(sums) }
    }
}

/// Pairs of bfloat16 products at a time, summed in float32 (`bfdot`).
struct Bf16Products;

// Safety: loads are of 8 numbers, or of a padded copy.
unsafe impl DotRegisters for Bf16Products {
    type X = bf16;
    type W = bf16;
    type Operand = uint16x8_t;
    type Sums = float32x4_t;
    const ROWS: usize = ROWS;
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
    unsafe fn sum(sums: [float32x4_t; DOT_COLUMNS]) -> [f32; DOT_COLUMNS] {
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
unsafe fn sum_128([a, b, c, d]: [float32x4_t; DOT_COLUMNS]) -> [f32; DOT_COLUMNS] {
    let mut sums = [0.0; DOT_COLUMNS];
    // Safety: by the caller; both have 16 bytes.
    unsafe { vst1q_f32(sums.as_mut_ptr(), vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d))) };
    sums
}

// Safety: loads and stores of 4 numbers.
unsafe impl OuterRegister for float32x4_t {
    type Element = f32;
    type Operand = Self;
    const ROWS: usize = ROWS;
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller, as in all that follows.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn load_operand(from: *const f32) -> Self {
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
