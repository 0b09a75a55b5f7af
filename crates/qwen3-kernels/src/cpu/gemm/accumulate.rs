//! `c += a · b` as outer products: rows of `b`, each times a number of `a`, a block of
//! columns at a time, so that nothing is transposed and nothing added across lanes.
//!
//! ```text
//!            one row of b, VECTORS registers
//!           ┌───┬───┬───┬───┐
//!  a few    │ c │ c │ c │ c │   c: a register of sums; each row of b is
//!  rows of a│ c │ c │ c │ c │      added, times a number of a
//!           └───┴───┴───┴───┘
//! ```

use super::microkernel::{OuterRegister, with_rows};
use crate::cpu::destination::Destination;
use crate::cpu::matrix::Matrix;

/// `c += a · b`
#[derive(Clone, Copy)]
pub(crate) struct Sum<'a, T> {
    /// `[m, k, n]`: `a` is `[m, k]`, `b` `[k, n]`, `c` `[m, n]`.
    pub shape: [usize; 3],
    pub a: Matrix<'a, T>,
    pub b: Matrix<'a, T>,
    pub c: Destination,
}

/// Computes a sum on this thread.
///
/// # Safety
/// The processor has its instructions; `c` outlives the call, and nobody else uses
/// its `m` rows of `n` columns.
///
/// # Panics
/// If the slices are smaller.
pub(crate) type Accumulate<T> = unsafe fn(Sum<T>);

/// [`Accumulate`] in tiles of [`OuterRegister::ROWS`] rows of `VECTORS` registers,
/// which fit beside what they are made of.
///
/// # Safety
/// As of [`Accumulate`], with the instructions of `R`.
#[inline(always)]
pub(super) unsafe fn accumulate<R: OuterRegister, const VECTORS: usize>(of: Sum<R::Element>) {
    let Sum { shape: [m, k, n], a, b, c } = of;
    assert!(a.holds(m, k) && b.holds(k, n), "[{m}, {k}] · [{k}, {n}]");
    let mut row = 0;
    while row < m {
        let rows = R::ROWS.min(m - row);
        let mut column = 0;
        // Safety: by the caller; rows and columns are inside by the assertion,
        // and `c` checks its own.
        unsafe {
            while column + VECTORS * R::LANES <= n {
                tile_of::<R, VECTORS>(of, rows, [row, column]);
                column += VECTORS * R::LANES;
            }
            while column + R::LANES <= n {
                tile_of::<R, 1>(of, rows, [row, column]);
                column += R::LANES;
            }
            while column < n {
                for row in row..row + rows {
                    let sum = c.at(row, column, 1);
                    for i in 0..k {
                        let factor = a.data[row * a.stride + i];
                        *sum = R::add_one(*sum, factor, b.data[i * b.stride + column]);
                    }
                }
                column += 1;
            }
        }
        row += rows;
    }
}

/// # Safety
/// As [`accumulate`]; the tile is inside.
#[inline(always)]
unsafe fn tile_of<R: OuterRegister, const N: usize>(
    of: Sum<R::Element>,
    rows: usize,
    start: [usize; 2],
) {
    // Safety: by the caller.
    unsafe { with_rows!(rows, M => tile::<R, M, N>(of, start)) }
}

/// The microkernel.
///
/// # Safety
/// As [`accumulate`]; `M` rows and `N` registers of columns are inside.
#[inline(always)]
unsafe fn tile<R: OuterRegister, const M: usize, const N: usize>(
    Sum { shape: [_, k, _], a, b, c }: Sum<R::Element>,
    [row, column]: [usize; 2],
) {
    // Safety: by the caller.
    unsafe {
        let c: [*mut f32; M] = std::array::from_fn(|m| c.at(row + m, column, N * R::LANES));
        let mut sums = [[R::load(c[0]); N]; M];
        for (sums, c) in sums.iter_mut().zip(c) {
            for (n, sum) in sums.iter_mut().enumerate() {
                *sum = R::load(c.add(n * R::LANES));
            }
        }
        let a: [*const R::Element; M] =
            std::array::from_fn(|m| a.data.as_ptr().add((row + m) * a.stride));
        for i in 0..k {
            let from = b.data.as_ptr().add(i * b.stride + column);
            let b: [R::Operand; N] =
                std::array::from_fn(|n| R::load_operand(from.add(n * R::LANES)));
            for (m, sums) in sums.iter_mut().enumerate() {
                let factor = *a[m].add(i);
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = sum.add(factor, b);
                }
            }
        }
        for (c, sums) in c.into_iter().zip(sums) {
            for (n, sum) in sums.into_iter().enumerate() {
                sum.store(c.add(n * R::LANES));
            }
        }
    }
}
