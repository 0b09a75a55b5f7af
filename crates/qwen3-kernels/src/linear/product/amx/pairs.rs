//! Sums of weighted rows from pairs, for attention: whole tiles here, 48 rows by
//! 16 columns at a time, and what is left with the instructions of [`rest`].
//!
//! [`rest`]: crate::linear::product::pairs

use super::STRIP;
use super::processor::Processor;
use super::tiles::Tiles;
use crate::destination::Destination;
use crate::isa::Isa;
use crate::linear::product::{Rows, pairs};

/// As [`pairs::add_weighted_pairs`].
///
/// # Safety
/// As of that.
pub(in crate::linear::product) unsafe fn add_weighted_pairs(
    shape: [usize; 3],
    p: Rows<u32>,
    v: Rows<u32>,
    out: Destination,
) {
    // Safety: by the caller.
    unsafe { add_on(Processor::configured, Isa::Avx512Bf16, shape, p, v, out) }
}

/// [`add_weighted_pairs`] on any tiles, and any instructions for the rest.
///
/// # Safety
/// As of that.
pub(super) unsafe fn add_on<T: Tiles>(
    tiles: impl Fn() -> T,
    rest: Isa,
    [m, k, n]: [usize; 3],
    p: Rows<u32>,
    v: Rows<u32>,
    out: Destination,
) {
    assert!(p.holds(m, k) && v.holds(k, n), "[{m}, {k}] · [{k}, {n}]");
    let whole = |length: usize| length / STRIP * STRIP;
    let (rows, steps, columns) = (whole(m), k / STRIP, whole(n));
    if rows == 0 || steps == 0 || columns == 0 {
        // Safety: by the caller.
        return unsafe { pairs::add_weighted_pairs(rest, [m, k, n], p, v, out) };
    }
    let mut tiles = tiles();
    for first in (0..rows).step_by(3 * STRIP) {
        // The last tile again where there are no three.
        let at = [0, 1, 2].map(|tile| (first + tile * STRIP).min(rows - STRIP));
        let a = at.map(|row| Rows { data: &p.data[row * p.stride..], stride: p.stride });
        for column in (0..columns).step_by(STRIP) {
            let b = Rows { data: &v.data[column..], stride: v.stride };
            let c = at.map(|row| out.from(row, column));
            // Safety: by the caller; inside of `m` rows of `n` columns.
            unsafe { tiles.add(steps, a, b, c) };
        }
    }
    drop(tiles);
    let from = |rows: Rows<'_, u32>, row: usize, column: usize| row * rows.stride + column;
    let done = steps * STRIP;
    let parts = [
        // The last of `k`, of the rows and columns above.
        ([rows, k - done, columns], [0, done, 0]),
        ([rows, k, n - columns], [0, 0, columns]),
        ([m - rows, k, n], [rows, 0, 0]),
    ];
    for (shape, [row, step, column]) in parts.into_iter().filter(|(shape, _)| !shape.contains(&0)) {
        let p = Rows { data: &p.data[from(p, row, step)..], stride: p.stride };
        let v = Rows { data: &v.data[from(v, step, column)..], stride: v.stride };
        // Safety: by the caller; as above.
        unsafe { pairs::add_weighted_pairs(rest, shape, p, v, out.from(row, column)) };
    }
}
