//! The product with AMX: tiles of bfloat16 pairs, summed in float32.
//!
//! What is computed is `yᵀ = weight · xᵀ`, so that the weight needs no packing:
//! a tile of it is 16 rows of 32 numbers as they lie in memory. `x` is packed
//! once for all of them ([`Packed`]), while it is rounded.
//!
//! ```text
//!                     32 rows of x, packed
//!                    ┌─────────┬─────────┐
//!                    │ B0      │ B1      │   32 numbers of each row at a time
//!                    └─────────┴─────────┘
//!           ┌──────┐ ┌─────────┬─────────┐
//!  a strip  │ A0   │ │ C00     │ C10     │   C: 16 × 16 sums
//!           ├──────┤ ├─────────┼─────────┤
//!  another  │ A1   │ │ C01     │ C11     │
//!           └──────┘ └─────────┴─────────┘
//! ```
//!
//! Every sum runs over `k` in the same steps, so it doesn't depend on what is
//! computed beside it. What is missing of a tile is zeros, which add nothing.

mod packed;
mod pairs;
mod processor;
mod strips;
#[cfg(test)]
mod tests;
mod tiles;

pub(super) use pairs::add_weighted_pairs;
pub(crate) use processor::is_available;

use super::finish::Finish;
use super::tasks::{Task, tasks};
use super::{Input, Part, Rows, Weight, nearest_bf16};
use burn::tensor::bf16;
use packed::{Packed, Tile};
use processor::Processor;
use rayon::iter::ParallelIterator;
use std::ops::Range;
use tiles::{STEP, Tiles};

/// Weight rows of a tile.
const STRIP: usize = 16;
/// Rows of `x` of two tiles.
const TOKENS: usize = 32;

/// Weight rows of one task: strip by strip, two at a time.
pub(super) struct Panel<'a> {
    k: usize,
    weights: [Rows<'a, bf16>; 2],
    columns: Range<usize>,
    /// From a strip of the first weight to the one of the second beside it.
    apart: usize,
}

impl<'a> Panel<'a> {
    /// Columns of `x · weightᵀ`, 32 at a time.
    pub fn of_one(k: usize, weight: Rows<'a, bf16>, columns: Range<usize>) -> Self {
        Self::new(k, [weight; 2], columns, STRIP)
    }

    /// The same columns of `x · gateᵀ` and `x · upᵀ`, 16 of each at a time.
    pub fn of_two(k: usize, weights: [Rows<'a, bf16>; 2], columns: Range<usize>) -> Self {
        Self::new(k, weights, columns, 0)
    }

    fn new(k: usize, weights: [Rows<'a, bf16>; 2], columns: Range<usize>, apart: usize) -> Self {
        let holds = weights.iter().all(|weight| weight.holds(columns.end, k));
        assert!(holds, "{columns:?} of {k} numbers each");
        Self { k, weights, columns, apart }
    }

    /// Where each pair of strips begins.
    fn starts(&self) -> impl Iterator<Item = usize> {
        self.columns.clone().step_by(STRIP + self.apart)
    }

    /// Gives `take` all rows of `rows`, a few at a time, and all columns: the
    /// first row, the first column, how many columns, and the numbers of each
    /// row for the first and for the second strip. Those beyond the columns are
    /// to be left.
    #[inline(always)]
    fn compute(
        &self,
        tiles: &mut impl Tiles,
        x: &Packed,
        rows: Range<usize>,
        mut take: impl FnMut(usize, usize, usize, [&[[f32; STRIP]]; 2]),
    ) {
        let padded: Vec<[Option<Vec<bf16>>; 2]> = self.starts().map(|at| self.padded(at)).collect();
        let mut sums = [[Tile::ZERO; 2]; 2];
        for block in rows.start / TOKENS..rows.end.div_ceil(TOKENS) {
            for (column, padded) in self.starts().zip(&padded) {
                tiles.multiply(self.strips(column, padded), x.block(self.k, block), &mut sums);
                let n = (STRIP + self.apart).min(self.columns.end - column);
                for (half, strips) in sums.iter().enumerate() {
                    let strips = strips.each_ref().map(Tile::transposed);
                    let start = block * TOKENS + half * STRIP;
                    let (first, end) = (rows.start.max(start), rows.end.min(start + STRIP));
                    if first < end {
                        let numbers = strips.each_ref().map(Tile::numbers);
                        take(first, column, n, numbers.map(|n| &n[first - start..end - start]));
                    }
                }
            }
        }
    }

    /// A pair of strips: in place, or its copies.
    fn strips<'s>(
        &'s self,
        column: usize,
        padded: &'s [Option<Vec<bf16>>; 2],
    ) -> [Rows<'s, bf16>; 2] {
        std::array::from_fn(|which| match &padded[which] {
            Some(copy) => Rows { data: copy, stride: copy.len() / STRIP },
            None => {
                let Rows { data, stride } = self.weights[which];
                Rows { data: &data[(column + which * self.apart) * stride..], stride }
            }
        })
    }

    /// Copies with zeros for what is missing of a pair of strips, if anything is.
    fn padded(&self, column: usize) -> [Option<Vec<bf16>>; 2] {
        std::array::from_fn(|which| {
            let (weight, start) = (self.weights[which], column + which * self.apart);
            let is_whole = self.k > 0 && self.k.is_multiple_of(STEP);
            if is_whole && weight.holds(start + STRIP, self.k) {
                return None;
            }
            let wide = steps(self.k) * STEP;
            let mut copy = vec![bf16::ZERO; STRIP * wide];
            let rows = start..(start + STRIP).min(self.columns.end);
            for (row, copy) in rows.zip(copy.chunks_exact_mut(wide)) {
                copy[..self.k].copy_from_slice(&weight.data[row * weight.stride..][..self.k]);
            }
            Some(copy)
        })
    }
}

/// Steps over `k`, one at least.
fn steps(k: usize) -> usize {
    k.div_ceil(STEP).max(1)
}

/// As [`super::run`], from `x` that is packed once for all parts.
///
/// # Panics
/// If this processor has no AMX, or a weight is not in bfloat16.
pub(super) fn run(shape: [usize; 2], x: Input, parts: &[Part]) {
    run_on(Processor::configured, shape, x, parts);
}

/// [`run`] on any tiles, new ones for each task.
fn run_on<T: Tiles>(tiles: impl Fn() -> T + Sync, [m, k]: [usize; 2], x: Input, parts: &[Part]) {
    let x = match x {
        Input::F32(x) => Packed::new([m, k], x, nearest_bf16),
        Input::Bf16(x) => Packed::new([m, k], x, |x| x),
        Input::Turned(_) => panic!("turned numbers for products that round"),
    };
    tasks(parts, m, [TOKENS, 2 * STRIP]).for_each(|Task { part, rows, columns }| {
        let (Weight::Bf16(weight), Weight::Bf16(up)) = (part.weight, part.up) else {
            panic!("weights of different dtypes in one product");
        };
        let [weight, up] = [weight, up].map(|data| Rows { data, stride: k });
        let panel = match part.finish.is_gated() {
            true => Panel::of_two(k, [weight, up], columns),
            false => Panel::of_one(k, weight, columns),
        };
        // Safety: no two tasks share a row and a column, and a part's output
        // lives as long as the part. AVX-512 is asked for.
        unsafe {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                finish_512(&panel, &mut tiles(), &x, rows, &part.finish);
            } else {
                finish(&panel, &mut tiles(), &x, rows, &part.finish);
            }
        }
    });
}

/// Computes all of a panel, to its end.
///
/// # Safety
/// Nobody else uses these rows and columns of the output, which is alive.
#[inline(always)]
unsafe fn finish(
    panel: &Panel,
    tiles: &mut impl Tiles,
    x: &Packed,
    rows: Range<usize>,
    end: &Finish,
) {
    panel.compute(tiles, x, rows, |row, column, n, strips| {
        // Safety: by the caller.
        unsafe { end.strips(row, column, n, strips) };
    });
}

/// [`finish`] as the compiler makes it of the same code.
///
/// # Safety
/// As [`finish`], and the processor has AVX-512 F and BW.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn finish_512(
    panel: &Panel,
    tiles: &mut impl Tiles,
    x: &Packed,
    rows: Range<usize>,
    end: &Finish,
) {
    // Safety: by the caller.
    unsafe { finish(panel, tiles, x, rows, end) };
}
