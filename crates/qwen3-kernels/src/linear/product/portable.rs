//! The product in plain Rust, for processors without a path of their own. The
//! compiler makes vector instructions of it where the target has them.

use super::lanes::{Lanes, padded};
use super::{Block, TILE_COLUMNS};
use burn::tensor::{bf16, f16};
use std::marker::PhantomData;

const STEP: usize = 8;
const MAX_ROWS: usize = 2;

/// Numbers that can be widened.
pub(super) trait Wide: Copy {
    const ZERO: Self;
    fn wide(self) -> f32;
}

impl Wide for f32 {
    const ZERO: Self = 0.0;
    #[inline(always)]
    fn wide(self) -> f32 {
        self
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
        std::array::from_fn(|lane| {
            // A fused addition is a call of a function where the target has no instruction for it.
            match cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
                true => x[lane].mul_add(w[lane], sums[lane]),
                false => sums[lane] + x[lane] * w[lane],
            }
        })
    }

    #[inline(always)]
    unsafe fn sum(sums: [Self::Sums; TILE_COLUMNS]) -> [f32; TILE_COLUMNS] {
        sums.map(|sums| sums.into_iter().sum())
    }
}

/// # Safety
/// As [`super::block`].
pub(super) unsafe fn block<W: Wide>(block: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { super::block::<Portable<W>, MAX_ROWS>(block) }
}
