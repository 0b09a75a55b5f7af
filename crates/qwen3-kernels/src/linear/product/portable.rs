//! The product in plain Rust, for processors without a path of their own. The
//! compiler makes vector instructions of it where the target has them.

use super::lanes::{Lanes, padded};
use super::outer::{self, Vector};
use super::{Block, Rows, TILE_COLUMNS};
use crate::destination::Destination;
use burn::tensor::{bf16, f16};
use std::marker::PhantomData;

const STEP: usize = 8;
const MAX_ROWS: usize = 2;

/// Numbers that can be widened.
pub(super) trait Wide: Copy {
    const ZERO: Self;
    fn wide(self) -> f32;
    /// The numbers themselves, if they are wide.
    #[cfg(target_arch = "x86_64")]
    fn in_place(_numbers: &[Self]) -> Option<&[f32]> {
        None
    }
}

impl Wide for f32 {
    const ZERO: Self = 0.0;
    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }
    #[cfg(target_arch = "x86_64")]
    fn in_place(numbers: &[f32]) -> Option<&[f32]> {
        Some(numbers)
    }
}

impl Wide for bf16 {
    const ZERO: Self = bf16::ZERO;
    #[inline(always)]
    fn wide(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

impl Wide for f16 {
    const ZERO: Self = f16::ZERO;
    #[inline(always)]
    fn wide(self) -> f32 {
        self.to_f32()
    }
}

struct Portable<W>(PhantomData<W>);

// Safety: reads through slices of the lengths it is told.
unsafe impl<W: Wide> Lanes<MAX_ROWS> for Portable<W> {
    type X = f32;
    type W = W;
    type Numbers = [f32; STEP];
    type Sums = [f32; STEP];
    const STEP: usize = STEP;

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        [0.0; STEP]
    }

    #[inline(always)]
    unsafe fn load_x(from: *const f32) -> Self::Numbers {
        // Safety: by the caller.
        unsafe { padded(from, STEP, 0.0) }
    }

    #[inline(always)]
    unsafe fn load_w(from: *const W) -> Self::Numbers {
        // Safety: by the caller.
        unsafe { padded::<W, STEP>(from, STEP, W::ZERO).map(W::wide) }
    }

    #[inline(always)]
    unsafe fn load_x_part(from: *const f32, n: usize) -> Self::Numbers {
        // Safety: by the caller.
        unsafe { padded(from, n, 0.0) }
    }

    #[inline(always)]
    unsafe fn load_w_part(from: *const W, n: usize) -> Self::Numbers {
        // Safety: by the caller.
        unsafe { padded::<W, STEP>(from, n, W::ZERO).map(W::wide) }
    }

    #[inline(always)]
    unsafe fn add_product(sums: Self::Sums, x: Self::Numbers, w: Self::Numbers) -> Self::Sums {
        std::array::from_fn(|lane| add_product(sums[lane], x[lane], w[lane]))
    }

    #[inline(always)]
    unsafe fn sum(sums: [Self::Sums; TILE_COLUMNS]) -> [f32; TILE_COLUMNS] {
        sums.map(|sums| sums.into_iter().sum())
    }
}

/// # Safety
/// As [`super::block::block`].
pub(super) unsafe fn block<W: Wide>(block: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { super::block::block::<Portable<W>, MAX_ROWS>(block) }
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
unsafe impl Vector for [f32; STEP] {
    type Number = f32;
    type Numbers = Self;
    const LANES: usize = STEP;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // Safety: by the caller.
        unsafe { padded(from, STEP, 0.0) }
    }

    #[inline(always)]
    unsafe fn load_numbers(from: *const f32) -> Self {
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

/// # Safety
/// As [`outer::add`].
pub(super) unsafe fn add_weighted_rows(
    shape: [usize; 3],
    p: Rows<f32>,
    v: Rows<f32>,
    out: Destination,
) {
    // Safety: by the caller.
    unsafe { outer::add::<[f32; STEP], 4, MAX_ROWS>(shape, p, v, out) }
}
