//! Registers of plain Rust, for processors without code of their own. The
//! compiler makes vector instructions of it where the target has them.

use super::accumulate::{Sum, accumulate};
use super::bf16::add_pair_product;
use super::block::Block;
use super::dot::block;
use super::microkernel::{DOT_COLUMNS, DotRegisters, OuterRegister, padded};
use super::widen::Widen;
use std::marker::PhantomData;

/// Rows of a tile.
const ROWS: usize = 2;
/// Numbers of a step of a dot product, and of a register of outer products.
const STEP: usize = 8;
/// Registers beside each other in a tile of outer products.
const VECTORS: usize = 4;
/// Pairs of a register.
const PAIRS: usize = 16;

/// # Safety
/// As [`block`].
pub(crate) unsafe fn dot<W: Widen>(of: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { block::<Portable<W>>(of) }
}

/// # Safety
/// As [`accumulate`].
pub(crate) unsafe fn accumulate_f32(of: Sum<f32>) {
    // Safety: by the caller.
    unsafe { accumulate::<[f32; STEP], VECTORS>(of) }
}

/// # Safety
/// As [`accumulate`].
pub(crate) unsafe fn accumulate_pairs(of: Sum<u32>) {
    // Safety: by the caller.
    unsafe { accumulate::<Pairs, VECTORS>(of) }
}

/// Registers for dot products.
struct Portable<W>(PhantomData<W>);

// Safety: reads through slices of the lengths it is told.
unsafe impl<W: Widen> DotRegisters for Portable<W> {
    type X = f32;
    type W = W;
    type Operand = [f32; STEP];
    type Sums = [f32; STEP];
    const ROWS: usize = ROWS;
    const STEP: usize = STEP;

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        [0.0; STEP]
    }

    #[inline(always)]
    unsafe fn load_x(from: *const f32) -> Self::Operand {
        // Safety: by the caller.
        unsafe { padded(from, STEP, 0.0) }
    }

    #[inline(always)]
    unsafe fn load_w(from: *const W) -> Self::Operand {
        // Safety: by the caller.
        unsafe { padded::<W, STEP>(from, STEP, W::ZERO).map(W::widened) }
    }

    #[inline(always)]
    unsafe fn load_x_part(from: *const f32, n: usize) -> Self::Operand {
        // Safety: by the caller.
        unsafe { padded(from, n, 0.0) }
    }

    #[inline(always)]
    unsafe fn load_w_part(from: *const W, n: usize) -> Self::Operand {
        // Safety: by the caller.
        unsafe { padded::<W, STEP>(from, n, W::ZERO).map(W::widened) }
    }

    #[inline(always)]
    unsafe fn add_product(sums: Self::Sums, x: Self::Operand, w: Self::Operand) -> Self::Sums {
        std::array::from_fn(|lane| add_product(sums[lane], x[lane], w[lane]))
    }

    #[inline(always)]
    unsafe fn sum(sums: [Self::Sums; DOT_COLUMNS]) -> [f32; DOT_COLUMNS] {
        sums.map(|sums| sums.into_iter().sum())
    }
}

/// `sum + x · y`, rounded once where the target has an instruction for it;
/// elsewhere that would be a call of a function.
#[inline(always)]
fn add_product(sum: f32, x: f32, y: f32) -> f32 {
    match cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
        true => x.mul_add(y, sum),
        false => sum + x * y,
    }
}

// Safety: reads and writes through arrays of this length.
unsafe impl OuterRegister for [f32; STEP] {
    type Element = f32;
    type Operand = Self;
    const ROWS: usize = ROWS;
    const LANES: usize = STEP;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller.
        unsafe { padded(from, STEP, 0.0) }
    }

    #[inline(always)]
    unsafe fn load_operand(from: *const f32) -> Self {
        // Safety: by the caller.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // Safety: by the caller.
        unsafe { std::ptr::copy_nonoverlapping(self.as_ptr(), to, STEP) };
    }

    #[inline(always)]
    unsafe fn add(self, factor: f32, x: Self) -> Self {
        std::array::from_fn(|lane| add_product(self[lane], factor, x[lane]))
    }

    #[inline(always)]
    fn add_one(sum: f32, factor: f32, x: f32) -> f32 {
        sum + factor * x
    }
}

/// Sums of products of pairs.
#[derive(Clone, Copy)]
struct Pairs([f32; PAIRS]);

// Safety: reads and writes through arrays of this length.
unsafe impl OuterRegister for Pairs {
    type Element = u32;
    type Operand = [u32; PAIRS];
    const ROWS: usize = ROWS;
    const LANES: usize = PAIRS;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller, as in all that follows.
        Self(unsafe { from.cast::<[f32; PAIRS]>().read() })
    }

    #[inline(always)]
    unsafe fn load_operand(from: *const u32) -> Self::Operand {
        // Safety: by the caller.
        unsafe { from.cast::<[u32; PAIRS]>().read() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // Safety: by the caller.
        unsafe { to.cast::<[f32; PAIRS]>().write(self.0) };
    }

    #[inline(always)]
    unsafe fn add(self, factor: u32, x: Self::Operand) -> Self {
        Self(std::array::from_fn(|lane| add_pair_product(self.0[lane], factor, x[lane])))
    }

    #[inline(always)]
    fn add_one(sum: f32, factor: u32, x: u32) -> f32 {
        add_pair_product(sum, factor, x)
    }
}
