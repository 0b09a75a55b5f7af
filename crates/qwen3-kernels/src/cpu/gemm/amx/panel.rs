//! Some weight rows against some rows of `x`.

use super::pack::{PackedX, TOKENS, steps};
use crate::cpu::amx::{SIDE, STEP, Strip, Tile, Tiles};
use crate::cpu::matrix::Matrix;
use burn::tensor::bf16;
use std::ops::Range;

/// Rows of `x` from which on a panel is packed. Rows of weights are a multiple of 2 KiB
/// apart, so that the lines of a tile in place push one another out of the first-level cache.
const PACKED_FROM: usize = 3 * TOKENS;

/// Weight rows of one task: strip by strip, two at a time.
pub(super) struct Panel<'a> {
    k: usize,
    /// Their rows of these columns alone.
    weights: [Matrix<'a, bf16>; 2],
    columns: Range<usize>,
    /// From a strip of the first weight to the one of the second beside it.
    apart: usize,
}

impl<'a> Panel<'a> {
    /// Columns of `x · weightᵀ`, 32 at a time; or with two weights the same columns of
    /// `x · gateᵀ` and `x · upᵀ`, 16 of each at a time.
    ///
    /// `weights` are one or two, the rows of these columns alone.
    ///
    /// # Panics
    /// If a weight has not these rows.
    pub fn new(k: usize, weights: &[&'a [bf16]], columns: Range<usize>) -> Self {
        let (weights, apart) = match *weights {
            [weight] => ([weight; 2], SIDE),
            [gate, up] => ([gate, up], 0),
            _ => panic!("{} weights of a panel", weights.len()),
        };
        let weights = weights.map(|data| Matrix { data, stride: k });
        let holds = weights.iter().all(|weight| weight.holds(columns.len(), k));
        assert!(holds, "{columns:?} of {k} numbers each");
        Self { k, weights, columns, apart }
    }

    /// Where each pair of strips begins, counted from the first column.
    fn starts(&self) -> impl Iterator<Item = usize> {
        (0..self.columns.len()).step_by(SIDE + self.apart)
    }

    /// Gives `take` all rows of `rows`, a few at a time, and all columns: the
    /// first row, the first column, how many columns, and the numbers of each
    /// row for the first and for the second strip. Those beyond the columns are
    /// to be left.
    #[inline(always)]
    pub fn compute(
        &self,
        tiles: &mut impl Tiles,
        x: &PackedX,
        rows: Range<usize>,
        mut take: impl FnMut(usize, usize, usize, [&[[f32; SIDE]]; 2]),
    ) {
        let packs = rows.len() >= PACKED_FROM;
        let packed: Vec<[Option<Vec<bf16>>; 2]> =
            self.starts().map(|at| self.packed(at, packs)).collect();
        let mut sums = [[Tile::ZERO; 2]; 2];
        for block in rows.start / TOKENS..rows.end.div_ceil(TOKENS) {
            for (column, packed) in self.starts().zip(&packed) {
                tiles.multiply(self.strips(column, packed), x.block(self.k, block), &mut sums);
                let n = (SIDE + self.apart).min(self.columns.len() - column);
                for (half, strips) in sums.iter().enumerate() {
                    let strips = strips.each_ref().map(Tile::transposed);
                    let start = block * TOKENS + half * SIDE;
                    let (first, end) = (rows.start.max(start), rows.end.min(start + SIDE));
                    if first < end {
                        let strips = strips.each_ref().map(Tile::as_f32);
                        take(
                            first,
                            self.columns.start + column,
                            n,
                            strips.map(|n| &n[first - start..end - start]),
                        );
                    }
                }
            }
        }
    }

    /// A pair of strips: packed, or in place.
    fn strips<'s>(&'s self, column: usize, packed: &'s [Option<Vec<bf16>>; 2]) -> [Strip<'s>; 2] {
        match packed {
            [Some(first), Some(second)] => [first, second].map(|tiles| Strip::packed(tiles)),
            _ => std::array::from_fn(|which| {
                Strip::in_place(self.weights[which].from(column + which * self.apart, 0))
            }),
        }
    }

    /// A pair of strips in tiles, with zeros for what is missing: if anything is, or if they
    /// meet so many rows that it pays.
    fn packed(&self, column: usize, packs: bool) -> [Option<Vec<bf16>>; 2] {
        let starts = [column, column + self.apart];
        let is_whole = self.k > 0 && self.k.is_multiple_of(STEP);
        let holds = |which: usize| self.weights[which].holds(starts[which] + SIDE, self.k);
        if !packs && is_whole && holds(0) && holds(1) {
            return [None, None];
        }
        [0, 1].map(|which| {
            let weight = self.weights[which];
            let mut tiles = vec![bf16::ZERO; steps(self.k) * SIDE * STEP];
            let rows = starts[which]..(starts[which] + SIDE).min(self.columns.len());
            for (at, row) in rows.enumerate() {
                let row = &weight.data[row * weight.stride..][..self.k];
                for (tile, numbers) in tiles.chunks_exact_mut(SIDE * STEP).zip(row.chunks(STEP)) {
                    tile[at * STEP..][..numbers.len()].copy_from_slice(numbers);
                }
            }
            Some(tiles)
        })
    }
}
