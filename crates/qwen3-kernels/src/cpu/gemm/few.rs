//! Outer products of few rows of `x`, which would leave most lanes of a packed panel empty: a
//! register holds a number of eight rows of the weight, a column of a square of them that is
//! turned in registers. `x` is read in place, number by number.
//!
//! Each number of `y` is the sum of `outer.rs`, in its order.

use super::block::Block;
use super::microkernel::{OuterRegister, with_rows};
use super::transpose::{SQUARE as N, transposed_square};
use super::widen::Widen;
use std::arch::x86_64::{__m256, _MM_HINT_T1, _mm_prefetch, _mm256_setzero_ps};

/// Rows of `x`, at most.
pub(super) const FEW: usize = 6;

/// All rows against all columns of the block: up to [`FEW`] rows.
///
/// # Safety
/// The processor has AVX2, FMA and F16C; nobody else uses these rows and columns of the
/// output, which is alive.
#[inline(always)]
pub(super) unsafe fn block<W: Widen>(block: &Block<f32, W>) {
    let columns = block.columns.clone();
    for first in (0..columns.len()).step_by(N) {
        let n = N.min(columns.len() - first);
        let mut sums = [[[0.0; N]; FEW]; 2];
        for (which, sums) in sums.iter_mut().enumerate().take(block.weights().len()) {
            // Safety: these are columns of the block, and its rows; by the caller.
            unsafe {
                let mut rows = [block.weight(which, first); N];
                for (row, from) in rows.iter_mut().enumerate() {
                    *from = block.weight(which, first + row.min(n - 1));
                }
                with_rows!(block.rows.len(), M => multiply::<W, M>(block, rows, sums));
            }
        }
        for (at, row) in block.rows.clone().enumerate() {
            let [sums, up] = sums.each_ref().map(|sums| &sums[at][..n]);
            // Safety: by the caller.
            unsafe { block.epilogue.row(row, columns.start + first, sums, up) };
        }
    }
}

/// The sums of the block's rows of `x` and of `N` rows of a weight.
///
/// # Safety
/// As [`block`]; the block has `M` rows, and each row of the weight its `k` numbers.
#[inline(always)]
unsafe fn multiply<W: Widen, const M: usize>(
    block: &Block<f32, W>,
    rows: [*const W; N],
    to: &mut [[f32; N]; FEW],
) {
    // Safety: inside of the rows; by the caller.
    unsafe {
        let mut sums = [_mm256_setzero_ps(); M];
        let mut x = [block.x(block.rows.start); M];
        for (m, x) in x.iter_mut().enumerate() {
            *x = block.x(block.rows.start + m);
        }
        let whole = block.k / N * N;
        for at in (0..whole).step_by(N) {
            let mut square = [_mm256_setzero_ps(); N];
            for (numbers, row) in square.iter_mut().zip(rows) {
                // Of the rows that come after these.
                _mm_prefetch::<_MM_HINT_T1>(row.wrapping_add(N * block.k + at).cast());
                *numbers = W::load_256(row.add(at));
            }
            for (i, column) in transposed_square(square).into_iter().enumerate() {
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = sum.add(*x.add(at + i), column);
                }
            }
        }
        for i in whole..block.k {
            let mut column = [0.0; N];
            for (number, from) in column.iter_mut().zip(rows) {
                *number = (*from.add(i)).widened();
            }
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = sum.add(*x.add(i), __m256::load(column.as_ptr()));
            }
        }
        for (sum, to) in sums.into_iter().zip(to) {
            sum.store(to.as_mut_ptr());
        }
    }
}
