//! The product as dot products: rows of `x` against rows of the weight, both as they
//! are in memory. A panel of weight rows is met by a few rows of `x` at a time, tile by tile.
//!
//! ```text
//!            4 rows of the weight
//!           ┌───┬───┬───┬───┐
//!  M rows   │ a │ a │ a │ a │   a: a register of partial sums over the columns
//!  of x     │ a │ a │ a │ a │      k, k + LANES, k + 2·LANES, …
//!           └───┴───┴───┴───┘
//! ```

use super::block::Block;
use super::microkernel::{DOT_COLUMNS, DotRegisters, with_rows};
use super::tasks::PANEL_COLUMNS;
use std::ops::Range;

/// Bytes of a row of `x` that are multiplied before the next: a tile of them
/// stays in a first-level cache of 32 KiB.
const K_BLOCK_BYTES: usize = 2 * 1024;
/// Rows of a product that is bound by reading the weights: each weight row
/// meets all of them while it is in the first-level cache.
const FEW_ROWS: usize = 24;
/// From a weight row to the one that a tile of few rows asks for: memory answers later
/// than the next tile begins.
const FETCHED_AHEAD: usize = 4 * DOT_COLUMNS;
/// From the weight row that a tile of few rows asks for to the second one. Of 16
/// rows three tiles of six ask for four rows, and for some after these.
const FETCHED_APART: usize = 3;
/// Bytes that a cache fetches at once.
const LINE: usize = 64;

/// A few rows of `x` against all columns, then the next rows.
///
/// # Safety
/// The processor has the instructions of `R`; nobody else uses these rows and
/// columns of the output, which is alive.
#[inline(always)]
pub(super) unsafe fn block<R: DotRegisters>(block: &Block<R::X, R::W>) {
    let n = block.columns.len();
    let few = block.rows.len() <= FEW_ROWS;
    let at_once = if few { FEW_ROWS } else { R::ROWS };
    let mut strips = [[[0.0; PANEL_COLUMNS]; FEW_ROWS]; 2];
    let mut first = block.rows.start;
    while first < block.rows.end {
        let rows = first..block.rows.end.min(first + at_once);
        for (which, _) in block.weights().iter().enumerate() {
            let sums = &mut strips[which];
            // Safety: by the caller; inside of the slices by `Block::new`.
            unsafe {
                let rows = rows.clone();
                match few {
                    true => strip_of::<R, true>(block, which, rows, sums),
                    false => strip_of::<R, false>(block, which, rows, sums),
                }
            };
        }
        for row in rows.clone() {
            let [sums, up] = strips.each_ref().map(|sums| &sums[row - first][..n]);
            // Safety: by the caller.
            unsafe { block.epilogue.row(row, block.columns.start, sums, up) };
        }
        first = rows.end;
    }
}

/// The sums of a few rows and one of the weights.
///
/// # Safety
/// As [`block`]; the rows are of the block.
#[inline(always)]
unsafe fn strip_of<R: DotRegisters, const FEW: bool>(
    block: &Block<R::X, R::W>,
    which: usize,
    rows: Range<usize>,
    sums: &mut [[f32; PANEL_COLUMNS]; FEW_ROWS],
) {
    let k_block = K_BLOCK_BYTES / size_of::<R::X>();
    let mut from = 0;
    while from < block.k {
        let k = from..block.k.min(from + k_block);
        let mut column = 0;
        while column < block.columns.len() {
            if !FEW {
                // Safety: by the caller.
                unsafe { fetch_next_rows::<R>(block, rows.end, column, &k) };
            }
            let mut row = rows.start;
            while row < rows.end {
                let m = R::ROWS.min(rows.end - row);
                // Each tile asks for its share of the next weight rows.
                let fetched = column + FETCHED_AHEAD + (row - rows.start) / R::ROWS;
                let tile = Tile { which, row, column, fetched, k: k.clone() };
                let sums = &mut sums[row - rows.start..];
                // Safety: by the caller.
                unsafe { with_rows!(m, M => tile.add_sums::<R, FEW, M>(block, sums)) }
                row += m;
            }
            column += DOT_COLUMNS;
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
unsafe fn fetch_next_rows<R: DotRegisters>(
    block: &Block<R::X, R::W>,
    first: usize,
    column: usize,
    k: &Range<usize>,
) {
    let line = LINE / size_of::<R::X>();
    let tiles = block.columns.len().div_ceil(DOT_COLUMNS);
    let share = k.len().div_ceil(line).div_ceil(tiles) * line;
    let from = k.start + column / DOT_COLUMNS * share;
    let lines = from..k.end.min(from + share);
    for m in 0..R::ROWS {
        let row = block.x.as_ptr().wrapping_add((first + m) * block.k);
        // Safety: addresses are only hints; nothing is read.
        lines.clone().step_by(line).for_each(|at| unsafe { R::fetch(row.wrapping_add(at)) });
    }
}

/// A few rows of `x` and [`DOT_COLUMNS`] columns, over a range of `k`.
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
    /// The microkernel: adds `M` rows of sums to those of earlier ranges of `k`.
    ///
    /// # Safety
    /// As [`block`]; the rows and the first column are of the block.
    #[inline(always)]
    unsafe fn add_sums<R: DotRegisters, const FETCH: bool, const M: usize>(
        &self,
        block: &Block<R::X, R::W>,
        totals: &mut [[f32; PANEL_COLUMNS]],
    ) {
        let Self { which, row, column, fetched, ref k } = *self;
        // A missing column repeats the last one; nobody reads its sum.
        let last = block.columns.len() - 1;
        // Safety: rows and columns are inside of the slices, so all numbers of
        // `k` are; lanes beyond are not read by `load_*_part`.
        unsafe {
            let x: [*const R::X; M] = std::array::from_fn(|m| block.x(row + m));
            let w: [*const R::W; DOT_COLUMNS] =
                std::array::from_fn(|c| block.weight(which, last.min(column + c)));
            let later = |row: usize| {
                block.weights()[which].as_ptr().wrapping_add((fetched + row) * block.k)
            };
            let fetched = [later(0), later(FETCHED_APART)];
            let mut sums = [[R::zero(); DOT_COLUMNS]; M];
            let mut at = k.start;
            while at + R::STEP <= k.end {
                if FETCH {
                    R::fetch(fetched[0].wrapping_add(at));
                    R::fetch(fetched[1].wrapping_add(at));
                }
                let weights = [
                    R::load_w(w[0].add(at)),
                    R::load_w(w[1].add(at)),
                    R::load_w(w[2].add(at)),
                    R::load_w(w[3].add(at)),
                ];
                for m in 0..M {
                    let x = R::load_x(x[m].add(at));
                    for c in 0..DOT_COLUMNS {
                        sums[m][c] = R::add_product(sums[m][c], x, weights[c]);
                    }
                }
                at += R::STEP;
            }
            if at < k.end {
                add_rest::<R, M>(&mut sums, x.map(|x| x.add(at)), w.map(|w| w.add(at)), k.end - at);
            }
            for (totals, sums) in totals.iter_mut().zip(sums) {
                let totals = &mut totals[column..column + DOT_COLUMNS];
                for (total, sum) in totals.iter_mut().zip(R::sum(sums)) {
                    *total = if k.start == 0 { sum } else { *total + sum };
                }
            }
        }
    }
}

/// The products of the last numbers, fewer than a step.
///
/// # Safety
/// The processor has the instructions of `R`; `n` numbers can be read from each.
#[inline(always)]
unsafe fn add_rest<R: DotRegisters, const M: usize>(
    sums: &mut [[R::Sums; DOT_COLUMNS]; M],
    x: [*const R::X; M],
    w: [*const R::W; DOT_COLUMNS],
    n: usize,
) {
    for c in 0..DOT_COLUMNS {
        // Safety: by the caller.
        unsafe {
            let weights = R::load_w_part(w[c], n);
            for m in 0..M {
                sums[m][c] = R::add_product(sums[m][c], R::load_x_part(x[m], n), weights);
            }
        }
    }
}
