//! The product in 8 bits, of weights whose blocks are 32 whole numbers with one scale.
//!
//! `x` is rounded to whole numbers from -127 to 127 with a scale for each 32
//! ([`QuantizedX`]). A few blocks of weight rows are brought into two strips of 16 rows
//! ([`Strips`]), so that a register holds four numbers of each row. They stay in the
//! first-level cache while all rows of `x` pass by, a tile of a few rows at a time:
//!
//! ```text
//!   sum   = Σ over 32 numbers   x · w         in whole numbers, exactly
//!   total = fma(sum, scale of w · scale of x, total)   block after block, in float32
//! ```
//!
//! This formula has one result, so every set of instructions gives the same bits.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_registers;
mod plain;
mod quantize;
#[cfg(target_arch = "x86_64")]
mod registers;
mod strips;
#[cfg(test)]
mod tests;

use super::microkernel::with_rows;
use super::output::{Input, Output};
use super::tasks::{Task, tasks};
use crate::cpu::buffers::Buffer;
use crate::cpu::isa::Isa;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::{gemm as gemm_avx2, gemm_vnni as gemm_avx_vnni};
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::gemm as gemm_avx512_vnni;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::{gemm_dot as gemm_neon_dot, gemm_i8mm as gemm_neon_i8mm};
pub(crate) use plain::{codes, gemm as gemm_plainly};
use quantize::{QuantizedBlock, QuantizedX};
use qwen3_dtypes::Dtype;
use rayon::iter::ParallelIterator;
use std::ops::Range;
use strips::{BLOCKS, BlockRows, Group, STRIP, Strips};

/// Numbers of a block.
const NUMBERS: usize = 32;
/// Rows of a tile.
const ROWS: usize = 6;
/// Rows of `x` for which weights are packed once: they stay in the second-level cache.
const PACKED_FOR: usize = 768;

/// Of a row of `x` and two strips.
type Totals = [[f32; STRIP]; 2];

/// Whether its blocks are such.
pub(crate) fn takes(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::Q8_0 | Dtype::Q5_0 | Dtype::Q4_0)
}

/// The instructions of a processor.
///
/// # Safety
/// Implementations read no more than they are given; their methods are called only where the
/// processor has their instructions.
unsafe trait Instructions {
    /// Blocks of 16 rows as one of two strips, as [`Instructions::add`] takes it; of rows
    /// that are missing anything.
    ///
    /// # Safety
    /// The processor has the instructions, for this and all that follow.
    unsafe fn pack(rows: &BlockRows, strips: &mut [[Group; 2]], which: usize);

    /// Adds to the totals of some rows of `x` and two strips, packed of blocks of a dtype, the
    /// products of as many blocks.
    ///
    /// # Safety
    /// See [`Instructions::pack`].
    unsafe fn add<const M: usize>(
        dtype: Dtype,
        totals: &mut [Totals; M],
        x: &[[QuantizedBlock; M]],
        strips: &[[Group; 2]],
    );
}

/// [`block`] with the instructions of `isa`.
struct By {
    isa: Isa,
    block: unsafe fn(&QuantizedX, &Task<i8>),
}

/// All tasks in parallel, with `x` rounded once for all.
///
/// # Panics
/// If this processor has not the instructions.
fn gemm_by(By { isa, block }: By, [m, k]: [usize; 2], x: Input, outputs: &[Output<i8>]) {
    assert!(Isa::available().contains(&isa), "a processor without {isa}");
    let x = QuantizedX::new(isa, [m, k], x.in_f32());
    tasks(outputs, [m, k], [ROWS, 2 * STRIP]).for_each(|task| {
        // Safety: the processor has the instructions of `isa`, no two tasks share a row and
        // a column, and the memory of an output lives as long as it.
        unsafe { block(&x, &task) };
    });
}

/// All rows against all columns of a task.
///
/// # Safety
/// The processor has the instructions of `I`; nobody else uses these rows and columns of the
/// output, which is alive.
#[inline(always)]
unsafe fn block<I: Instructions>(x: &QuantizedX, task: &Task<i8>) {
    let (mut strips, rows) = (Strips::new(), task.rows.len().min(PACKED_FOR));
    let mut totals = Buffer::new(2 * rows * size_of::<Totals>());
    for column in task.columns.clone().step_by(2 * STRIP) {
        let columns = column..task.columns.end.min(column + 2 * STRIP);
        for first in task.rows.clone().step_by(PACKED_FOR) {
            let rows = first..task.rows.end.min(first + PACKED_FOR);
            let totals = totals.as_mut_slice(2 * rows.len());
            // Safety: by the caller.
            unsafe { corner::<I>(x, task, [rows, columns.clone()], (&mut strips, totals)) };
        }
    }
}

/// Some rows against the columns of two strips. Both are memory to work in: `totals` of all
/// rows for one weight and then for the other.
///
/// # Safety
/// As [`block`].
#[inline(always)]
unsafe fn corner<I: Instructions>(
    x: &QuantizedX,
    task: &Task<i8>,
    [rows, columns]: [Range<usize>; 2],
    (strips, totals): (&mut Strips, &mut [Totals]),
) {
    totals.fill([[0.0; STRIP]; 2]);
    let (sums, up) = totals.split_at_mut(rows.len());
    let weights = task.output.weights().each();
    for (which, weight) in weights.iter().enumerate() {
        for block in (0..(x.k() / NUMBERS).max(1)).step_by(BLOCKS) {
            // Safety: by the caller.
            unsafe { strips.pack::<I>(weight, x.k(), &columns, block) };
            let is_last = which + 1 == weights.len() && strips.blocks().end == x.k() / NUMBERS;
            let tiles = rows.clone().step_by(ROWS);
            for ((row, sums), up) in tiles.zip(sums.chunks_mut(ROWS)).zip(up.chunks_mut(ROWS)) {
                // Safety: by the caller.
                unsafe { add::<I>(x, row, strips, if which == 0 { &mut *sums } else { &mut *up }) };
                if !is_last {
                    continue;
                }
                // At once, so that what waits for memory does beside the next tile.
                for (row, (sums, up)) in (row..).zip(sums.iter().zip(&*up)) {
                    let [sums, up] = [sums, up].map(|sums| &sums.as_flattened()[..columns.len()]);
                    // Safety: by the caller.
                    unsafe { task.output.epilogue().row(row, columns.start, sums, up) };
                }
            }
        }
    }
}

/// The products of a tile, from row `first` on.
///
/// # Safety
/// The processor has the instructions of `I`.
#[inline(always)]
unsafe fn add<I: Instructions>(
    x: &QuantizedX,
    first: usize,
    strips: &Strips,
    totals: &mut [Totals],
) {
    with_rows!(totals.len(), M => {
        let totals: &mut [Totals; M] = totals.try_into().expect("so many rows");
        let x = x.tile(first, strips.blocks());
        // Safety: by the caller.
        unsafe { I::add(strips.dtype(), totals, x, strips.as_slice()) };
    });
}
