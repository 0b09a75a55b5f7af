//! `out += p · v` with rows of `v` as they are: sums of weighted rows, a column
//! block at a time, so that nothing is transposed and nothing added across lanes.
//!
//! ```text
//!            one row of v, VECTORS registers
//!           ┌───┬───┬───┬───┐
//!  p of a   │ a │ a │ a │ a │   a: a register of numbers of `out`;
//!  few rows │ a │ a │ a │ a │      each row of v is added, times a number of p
//!           └───┴───┴───┴───┘
//! ```

use super::Rows;
use crate::destination::Destination;

/// Registers of float32 sums.
///
/// # Safety
/// Implementations read and write [`Vector::LANES`] numbers; their methods are
/// called only where the processor has their instructions.
pub(super) unsafe trait Vector: Copy {
    /// What is weighted, and with what: float32 numbers, or pairs of bfloat16.
    type Number: Copy;
    /// [`Vector::LANES`] of them in a register.
    type Numbers: Copy;
    /// Numbers in a register.
    const LANES: usize;
    /// # Safety
    /// [`Vector::LANES`] numbers can be read.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// [`Vector::LANES`] numbers can be read.
    unsafe fn load_numbers(from: *const Self::Number) -> Self::Numbers;
    /// # Safety
    /// [`Vector::LANES`] numbers can be written.
    unsafe fn store(self, to: *mut f32);
    /// `self + factor · x`
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn add(self, factor: Self::Number, x: Self::Numbers) -> Self;
    /// [`Vector::add`] of one number.
    fn add_one(sum: f32, factor: Self::Number, x: Self::Number) -> f32;
}

/// `[m, k] · [k, n]` added to `out`, in tiles of `MAX_ROWS` rows of `VECTORS`
/// registers, which fit beside what they are made of.
///
/// # Safety
/// The processor has the instructions of `V`; nobody else uses these rows of
/// `out`, which is alive.
#[inline(always)]
pub(super) unsafe fn add<V: Vector, const VECTORS: usize, const MAX_ROWS: usize>(
    [m, k, n]: [usize; 3],
    p: Rows<V::Number>,
    v: Rows<V::Number>,
    out: Destination,
) {
    assert!(p.holds(m, k) && v.holds(k, n), "[{m}, {k}] · [{k}, {n}]");
    let mut row = 0;
    while row < m {
        let rows = MAX_ROWS.min(m - row);
        let mut column = 0;
        // Safety: by the caller; rows and columns are inside by the assertion,
        // and `out` checks its own.
        unsafe {
            while column + VECTORS * V::LANES <= n {
                tiles::<V, VECTORS>([rows, k], row, column, p, v, out);
                column += VECTORS * V::LANES;
            }
            while column + V::LANES <= n {
                tiles::<V, 1>([rows, k], row, column, p, v, out);
                column += V::LANES;
            }
            while column < n {
                for row in row..row + rows {
                    let sum = out.at(row, column, 1);
                    for key in 0..k {
                        let factor = p.data[row * p.stride + key];
                        *sum = V::add_one(*sum, factor, v.data[key * v.stride + column]);
                    }
                }
                column += 1;
            }
        }
        row += rows;
    }
}

/// # Safety
/// As [`add`]; the tile is inside.
#[inline(always)]
unsafe fn tiles<V: Vector, const N: usize>(
    [rows, k]: [usize; 2],
    row: usize,
    column: usize,
    p: Rows<V::Number>,
    v: Rows<V::Number>,
    out: Destination,
) {
    // Safety: by the caller.
    unsafe {
        match rows {
            1 => tile::<V, 1, N>(k, row, column, p, v, out),
            2 => tile::<V, 2, N>(k, row, column, p, v, out),
            3 => tile::<V, 3, N>(k, row, column, p, v, out),
            4 => tile::<V, 4, N>(k, row, column, p, v, out),
            5 => tile::<V, 5, N>(k, row, column, p, v, out),
            _ => tile::<V, 6, N>(k, row, column, p, v, out),
        }
    }
}

/// # Safety
/// As [`add`]; `M` rows and `N` registers of columns are inside.
#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize>(
    k: usize,
    row: usize,
    column: usize,
    p: Rows<V::Number>,
    v: Rows<V::Number>,
    out: Destination,
) {
    // Safety: by the caller.
    unsafe {
        let outs: [*mut f32; M] = std::array::from_fn(|m| out.at(row + m, column, N * V::LANES));
        let mut sums = [[V::load(outs[0]); N]; M];
        for (sums, out) in sums.iter_mut().zip(outs) {
            for (n, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(out.add(n * V::LANES));
            }
        }
        let p_rows: [*const V::Number; M] =
            std::array::from_fn(|m| p.data.as_ptr().add((row + m) * p.stride));
        for key in 0..k {
            let from = v.data.as_ptr().add(key * v.stride + column);
            let values: [V::Numbers; N] =
                std::array::from_fn(|n| V::load_numbers(from.add(n * V::LANES)));
            for (m, sums) in sums.iter_mut().enumerate() {
                let factor = *p_rows[m].add(key);
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = sum.add(factor, value);
                }
            }
        }
        for (out, sums) in outs.into_iter().zip(sums) {
            for (n, sum) in sums.into_iter().enumerate() {
                sum.store(out.add(n * V::LANES));
            }
        }
    }
}
