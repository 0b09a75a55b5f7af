//! Some weight rows against some rows of `x`.

use super::pack::{PackedX, Side, TOKENS, block_tiles, pack, steps};
use crate::cpu::amx::{SIDE, STEP, Strip, Tile, Tiles};
use crate::cpu::buffers::Buffer;
use crate::cpu::matrix::Matrix;
use burn::tensor::bf16;
use std::ops::Range;

/// Weight rows of one task: strip by strip, two at a time.
pub(super) struct Panel<'a> {
    k: usize,
    /// Their rows of these columns alone.
    weights: [Matrix<'a, bf16>; 2],
    columns: Range<usize>,
    /// From a strip of the first weight to the one of the second beside it.
    apart: usize,
}

/// Where sums go. A trait, because a closure may be compiled on its own, without the
/// instructions of what calls it.
pub(super) trait Take {
    /// Takes some rows from a row and a column on: for each the numbers of the first strip and
    /// of the second. `n` columns of both are there, those beyond are to be left.
    fn rows(&mut self, from: [usize; 2], n: usize, strips: [&[[f32; SIDE]]; 2]);
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

    /// Gives `take` all rows of `rows` and all columns.
    #[inline(always)]
    pub fn compute(
        &self,
        tiles: &mut impl Tiles,
        x: &PackedX,
        rows: Range<usize>,
        take: &mut impl Take,
    ) {
        match x.side() {
            Side::Right => self.times_right(tiles, x, rows, take),
            Side::Left => self.times_left(tiles, x, rows, take),
        }
    }

    /// `weight · xᵀ`, of weight rows in place.
    #[inline(always)]
    fn times_right(
        &self,
        tiles: &mut impl Tiles,
        x: &PackedX,
        rows: Range<usize>,
        take: &mut impl Take,
    ) {
        let padded: Vec<Option<Vec<Tile>>> = self.starts().map(|at| self.padded(at)).collect();
        let starts: Vec<usize> = self.starts().collect();
        let strips = |at: usize| self.strips(starts[at], padded[at].as_deref());
        for block in blocks(&rows) {
            let (start, x) = (block * TOKENS, x.right(self.k, block));
            if rows.end <= start + SIDE {
                for pair in pairs(&padded) {
                    let ([a, b], [c, d]) = (strips(pair.start), strips(pair.end - 1));
                    let mut sums = [Tile::ZERO; 4];
                    tiles.multiply_first([a, b, c, d], x, &mut sums);
                    for (at, strips) in pair.zip(sums.as_chunks::<2>().0) {
                        let strips = strips.each_ref().map(Tile::transposed);
                        self.give([start, starts[at]], &rows, strips.each_ref(), take);
                    }
                }
                continue;
            }
            for (at, &column) in starts.iter().enumerate() {
                let mut sums = [[Tile::ZERO; 2]; 2];
                tiles.multiply(strips(at), x, &mut sums);
                for (half, strips) in sums.iter().enumerate() {
                    let strips = strips.each_ref().map(Tile::transposed);
                    self.give([start + half * SIDE, column], &rows, strips.each_ref(), take);
                }
            }
        }
    }

    /// `x · weightᵀ`, of weight rows that are packed, for rows of `x` so many that it pays.
    #[inline(always)]
    fn times_left(
        &self,
        tiles: &mut impl Tiles,
        x: &PackedX,
        rows: Range<usize>,
        take: &mut impl Take,
    ) {
        let n = self.starts().count() * block_tiles(self.k);
        let mut weights = Buffer::new(n * size_of::<Tile>());
        let packed = weights.as_mut_slice(n).chunks_exact_mut(block_tiles(self.k));
        for (column, packed) in self.starts().zip(packed) {
            pack(Side::Right, self.k, self.rows(column), packed);
        }
        let mut sums = [[Tile::ZERO; 2]; 2];
        for block in blocks(&rows) {
            let packed = weights.as_slice::<Tile>(n).chunks_exact(block_tiles(self.k));
            for (column, packed) in self.starts().zip(packed) {
                tiles.multiply(x.left(self.k, block), bytemuck::cast_slice(packed), &mut sums);
                for half in 0..2 {
                    let strips = sums.each_ref().map(|halves| &halves[half]);
                    self.give([block * TOKENS + half * SIDE, column], &rows, strips, take);
                }
            }
        }
    }

    /// The 16 rows from `start` on, as far as they are inside of `rows`.
    #[inline(always)]
    fn give(
        &self,
        [start, column]: [usize; 2],
        rows: &Range<usize>,
        strips: [&Tile; 2],
        take: &mut impl Take,
    ) {
        let (first, end) = (rows.start.max(start), rows.end.min(start + SIDE));
        if first < end {
            let n = (SIDE + self.apart).min(self.columns.len() - column);
            let strips = strips.map(|tile| &tile.as_f32()[first - start..end - start]);
            take.rows([first, self.columns.start + column], n, strips);
        }
    }

    /// The rows of two strips, as far as there are any.
    fn rows(&self, column: usize) -> [&'a [bf16]; 2] {
        [0, 1].map(|which| {
            let start = (column + which * self.apart).min(self.columns.len());
            let end = (start + SIDE).min(self.columns.len());
            &self.weights[which].data[start * self.k..end * self.k]
        })
    }

    /// A pair of strips in place, or those that were filled up.
    fn strips<'s>(&'s self, column: usize, padded: Option<&'s [Tile]>) -> [Strip<'s>; 2] {
        match padded.map(|tiles| tiles.split_at(steps(self.k))) {
            Some((first, second)) => [first, second].map(Strip::packed),
            None => std::array::from_fn(|which| {
                Strip::in_place(self.weights[which].from(column + which * self.apart, 0))
            }),
        }
    }

    /// A pair of strips with zeros for what is missing, if anything is.
    fn padded(&self, column: usize) -> Option<Vec<Tile>> {
        let rows = self.rows(column);
        let is_whole = self.k > 0 && self.k.is_multiple_of(STEP);
        if is_whole && rows.iter().all(|rows| rows.len() == SIDE * self.k) {
            return None;
        }
        let mut tiles = vec![Tile::ZERO; block_tiles(self.k)];
        pack(Side::Left, self.k, rows, &mut tiles);
        Some(tiles)
    }
}

/// Blocks of 32 rows.
fn blocks(rows: &Range<usize>) -> Range<usize> {
    rows.start / TOKENS..rows.end.div_ceil(TOKENS)
}

/// One or two that lie alike, after each other: those that were filled up lie otherwise.
fn pairs(padded: &[Option<Vec<Tile>>]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let first = padded.get(at)?;
        let alike = padded.get(at + 1).is_some_and(|next| next.is_some() == first.is_some());
        let pair = at..at + 1 + usize::from(alike);
        at = pair.end;
        Some(pair)
    })
}
