//! What one thread computes at a time: a few rows of `x` against a panel of
//! weight rows, tile by tile.

use super::finish::Finish;
use super::lanes::Lanes;
use std::ops::Range;

/// Weight rows of one tile.
pub(super) const TILE_COLUMNS: usize = 4;
/// Bytes of a row of `x` that are multiplied before the next: a tile of them
/// stays in a first-level cache of 32 KiB.
const K_BLOCK_BYTES: usize = 2 * 1024;
/// Rows of a product that is bound by reading the weights: each weight row
/// meets all of them while it is in the first-level cache.
const FEW_ROWS: usize = 24;
/// From the weight row that a tile of few rows asks for to the second one. Of 16
/// rows three tiles of six ask for the next four rows, and for some after these.
const FETCHED_APART: usize = 3;
/// Bytes that a cache fetches at once.
const LINE: usize = 64;
/// Columns of a task, at most.
pub(super) const PANEL_COLUMNS: usize = 128;

/// What one task computes.
pub(super) struct Block<'a, X, W> {
    pub k: usize,
    pub x: &'a [X],
    /// The weight, and the second one of a gated product.
    weights: [&'a [W]; 2],
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub finish: &'a Finish<'a>,
}

impl<'a, X, W> Block<'a, X, W> {
    pub fn new(
        k: usize,
        x: &'a [X],
        weights: [&'a [W]; 2],
        rows: Range<usize>,
        columns: Range<usize>,
        finish: &'a Finish<'a>,
    ) -> Self {
        let holds = weights.iter().all(|weight| columns.end * k <= weight.len());
        assert!(rows.end * k <= x.len() && holds, "{rows:?} {columns:?}");
        assert!(columns.len() <= PANEL_COLUMNS, "{columns:?}");
        Self { k, x, weights, rows, columns, finish }
    }

    /// Where row `row` of `x` begins.
    ///
    /// # Safety
    /// It is one of [`Block::rows`].
    #[inline(always)]
    unsafe fn x(&self, row: usize) -> *const X {
        // Safety: inside of the slice, by `Block::new`.
        unsafe { self.x.as_ptr().add(row * self.k) }
    }

    /// The rows of one of the weights, one after the other.
    #[cfg(target_arch = "x86_64")]
    pub fn weight_rows(&self, which: usize) -> &'a [W] {
        &self.weights[which][self.columns.start * self.k..self.columns.end * self.k]
    }

    /// Where a row of one of the weights begins.
    ///
    /// # Safety
    /// It is one of [`Block::columns`].
    #[inline(always)]
    unsafe fn weight(&self, which: usize, column: usize) -> *const W {
        // Safety: inside of the slice, by `Block::new`.
        unsafe { self.weights[which].as_ptr().add(column * self.k) }
    }
}

/// Sums of a few rows of `x` and the columns of a block, for one weight or two.
struct Strip {
    sums: [[[f32; PANEL_COLUMNS]; FEW_ROWS]; 2],
}

/// A few rows of `x` against all columns, then the next rows.
///
/// # Safety
/// The processor has the instructions of `L`; nobody else uses these rows and
/// columns of the output, which is alive.
#[inline(always)]
pub(super) unsafe fn block<L: Lanes<MAX_ROWS>, const MAX_ROWS: usize>(block: &Block<L::X, L::W>) {
    let n = block.columns.len();
    let weights = if block.finish.is_gated() { 2 } else { 1 };
    let few = block.rows.len() <= FEW_ROWS;
    let at_once = if few { FEW_ROWS } else { MAX_ROWS };
    let mut strip = Strip { sums: [[[0.0; PANEL_COLUMNS]; FEW_ROWS]; 2] };
    let mut first = block.rows.start;
    while first < block.rows.end {
        let rows = first..block.rows.end.min(first + at_once);
        for which in 0..weights {
            // Safety: by the caller; inside of the slices by `Block::new`.
            unsafe {
                let (rows, sums) = (rows.clone(), &mut strip.sums[which]);
                match few {
                    true => strip_of::<L, true, MAX_ROWS>(block, which, rows, sums),
                    false => strip_of::<L, false, MAX_ROWS>(block, which, rows, sums),
                }
            };
        }
        for row in rows.clone() {
            let [sums, second] = strip.sums.each_ref().map(|sums| &sums[row - first][..n]);
            // Safety: by the caller.
            unsafe { block.finish.row(row, block.columns.start, sums, second) };
        }
        first = rows.end;
    }
}

/// The sums of a few rows and one of the weights.
///
/// # Safety
/// As [`block`]; the rows are of the block.
#[inline(always)]
unsafe fn strip_of<L: Lanes<MAX_ROWS>, const FEW: bool, const MAX_ROWS: usize>(
    block: &Block<L::X, L::W>,
    which: usize,
    rows: Range<usize>,
    sums: &mut [[f32; PANEL_COLUMNS]; FEW_ROWS],
) {
    let k_block = K_BLOCK_BYTES / size_of::<L::X>();
    let mut from = 0;
    while from < block.k {
        let k = from..block.k.min(from + k_block);
        let mut column = 0;
        while column < block.columns.len() {
            if !FEW {
                // Safety: by the caller.
                unsafe { fetch_next_rows::<L, MAX_ROWS>(block, rows.end, column, &k) };
            }
            let mut row = rows.start;
            while row < rows.end {
                let m = MAX_ROWS.min(rows.end - row);
                // Each tile asks for its share of the next weight rows.
                let fetched = column + TILE_COLUMNS + (row - rows.start) / MAX_ROWS;
                let tile = Tile { which, row, column, fetched, k: k.clone() };
                let sums = &mut sums[row - rows.start..];
                // Safety: by the caller.
                unsafe {
                    match m {
                        1 => tile.sums::<L, FEW, 1, MAX_ROWS>(block, sums),
                        2 => tile.sums::<L, FEW, 2, MAX_ROWS>(block, sums),
                        3 => tile.sums::<L, FEW, 3, MAX_ROWS>(block, sums),
                        4 => tile.sums::<L, FEW, 4, MAX_ROWS>(block, sums),
                        5 => tile.sums::<L, FEW, 5, MAX_ROWS>(block, sums),
                        _ => tile.sums::<L, FEW, 6, MAX_ROWS>(block, sums),
                    }
                }
                row += m;
            }
            column += TILE_COLUMNS;
        }
        from = k.end;
    }
}

/// Asks for a share of the next rows of `x`, so that all of them are there
/// after the last column of tiles.
///
/// # Safety
/// As [`block`].
#[inline(always)]
unsafe fn fetch_next_rows<L: Lanes<MAX_ROWS>, const MAX_ROWS: usize>(
    block: &Block<L::X, L::W>,
    first: usize,
    column: usize,
    k: &Range<usize>,
) {
    let line = LINE / size_of::<L::X>();
    let tiles = block.columns.len().div_ceil(TILE_COLUMNS);
    let share = k.len().div_ceil(line).div_ceil(tiles) * line;
    let from = k.start + column / TILE_COLUMNS * share;
    let lines = from..k.end.min(from + share);
    for m in 0..MAX_ROWS {
        let row = block.x.as_ptr().wrapping_add((first + m) * block.k);
        // Safety: addresses are only hints; nothing is read.
        lines.clone().step_by(line).for_each(|at| unsafe { L::fetch(row.wrapping_add(at)) });
    }
}

/// A few rows of `x` and [`TILE_COLUMNS`] columns, over a range of `k`.
struct Tile {
    /// Which weight.
    which: usize,
    /// First row.
    row: usize,
    /// First column, counted from that of the block.
    column: usize,
    /// A column that comes later, whose weights are asked for.
    fetched: usize,
    k: Range<usize>,
}

impl Tile {
    /// Adds `M` rows of sums to those of earlier ranges of `k`.
    ///
    /// # Safety
    /// As [`block`]; the rows and the first column are of the block.
    #[inline(always)]
    unsafe fn sums<L: Lanes<MAX_ROWS>, const FETCH: bool, const M: usize, const MAX_ROWS: usize>(
        &self,
        block: &Block<L::X, L::W>,
        totals: &mut [[f32; PANEL_COLUMNS]],
    ) {
        let Self { which, row, column, fetched, ref k } = *self;
        // A missing column repeats the last one; nobody reads its sum.
        let last = block.columns.end - 1;
        // Safety: rows and columns are inside of the slices, so all numbers of
        // `k` are; lanes beyond are not read by `load_*_part`.
        unsafe {
            let x: [*const L::X; M] = std::array::from_fn(|m| block.x(row + m));
            let w: [*const L::W; TILE_COLUMNS] = std::array::from_fn(|c| {
                block.weight(which, last.min(block.columns.start + column + c))
            });
            let later = |row: usize| {
                let column = block.columns.start + fetched + row;
                block.weights[which].as_ptr().wrapping_add(column * block.k)
            };
            let fetched = [later(0), later(FETCHED_APART)];
            let mut sums = [[L::zero(); TILE_COLUMNS]; M];
            let mut at = k.start;
            while at + L::STEP <= k.end {
                if FETCH {
                    L::fetch(fetched[0].wrapping_add(at));
                    L::fetch(fetched[1].wrapping_add(at));
                }
                let weights = [
                    L::load_w(w[0].add(at)),
                    L::load_w(w[1].add(at)),
                    L::load_w(w[2].add(at)),
                    L::load_w(w[3].add(at)),
                ];
                for m in 0..M {
                    let x = L::load_x(x[m].add(at));
                    for c in 0..TILE_COLUMNS {
                        sums[m][c] = L::add_product(sums[m][c], x, weights[c]);
                    }
                }
                at += L::STEP;
            }
            if at < k.end {
                let rest = k.end - at;
                for c in 0..TILE_COLUMNS {
                    let weights = L::load_w_part(w[c].add(at), rest);
                    for m in 0..M {
                        let x = L::load_x_part(x[m].add(at), rest);
                        sums[m][c] = L::add_product(sums[m][c], x, weights);
                    }
                }
            }
            for (totals, sums) in totals.iter_mut().zip(sums) {
                let totals = &mut totals[column..column + TILE_COLUMNS];
                let sums = L::sum(sums);
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total = if k.start == 0 { sum } else { *total + sum };
                }
            }
        }
    }
}
