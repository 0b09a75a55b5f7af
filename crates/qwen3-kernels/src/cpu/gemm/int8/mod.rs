//! The product in 8 bits, of weights whose blocks are 32 whole numbers with one scale.
//!
//! `x` is rounded to whole numbers from -127 to 127 with a scale for each 32
//! ([`QuantizedX`]). A panel of weight rows is brought into strips of 16 rows ([`Strips`]),
//! so that a register holds four numbers of each row, and a tile is sums of a few rows of `x`
//! and two strips:
//!
//! ```text
//!   sum   = Σ over 32 numbers   x · w         in whole numbers, exactly
//!   total = fma(sum, scale of w · scale of x, total)   block after block, in float32
//! ```
//!
//! This formula has one result, so every set of instructions gives the same bits.

mod plain;
mod quantize;
mod strips;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod vnni;

use super::microkernel::with_rows;
use super::output::{Input, Output};
use super::tasks::{PANEL_COLUMNS, Task, tasks};
use crate::cpu::isa::Isa;
pub(crate) use plain::{codes, gemm as gemm_plainly};
use quantize::{QuantizedBlock, QuantizedX};
use qwen3_dtypes::Dtype;
use rayon::iter::ParallelIterator;
use strips::{Group, STRIP, Strips};
#[cfg(target_arch = "x86_64")]
pub(crate) use vnni::gemm as gemm_vnni;

/// Numbers of a block.
const NUMBERS: usize = 32;
/// Rows of a tile.
const ROWS: usize = 6;

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
    /// 16 rows of blocks of a dtype, each `k` numbers, as a strip; fewer at the end of a panel.
    ///
    /// # Safety
    /// The processor has the instructions, for this and all that follow.
    unsafe fn pack(dtype: Dtype, k: usize, rows: &[u8], strip: &mut [Group]);

    /// The totals of some rows of `x` and two strips, of as many blocks.
    ///
    /// # Safety
    /// See [`Instructions::pack`].
    unsafe fn totals<const M: usize>(
        x: [&[QuantizedBlock]; M],
        strips: [&[Group]; 2],
    ) -> [[[f32; STRIP]; 2]; M];
}

/// [`block`] with the instructions of `isa`.
struct By {
    isa: Isa,
    block: unsafe fn(&QuantizedX, &Task<i8>),
}

/// All tasks in parallel, with `x` rounded once for all.
fn gemm_by(By { isa, block }: By, [m, k]: [usize; 2], x: Input, outputs: &[Output<i8>]) {
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
    let n = task.columns.len();
    let mut weights = Vec::with_capacity(2);
    for weight in task.output.weights().each() {
        // Safety: by the caller.
        weights.push(unsafe { Strips::new::<I>(weight, x.k(), &task.columns) });
    }
    let mut sums = [[[0.0; PANEL_COLUMNS]; ROWS]; 2];
    for first in task.rows.clone().step_by(ROWS) {
        let rows = ROWS.min(task.rows.end - first);
        for (weight, sums) in weights.iter().zip(&mut sums) {
            for column in (0..n).step_by(2 * STRIP) {
                let strips = weight.pair(column / STRIP);
                // Safety: by the caller.
                unsafe { with_rows!(rows, M => tile::<I, M>(x.rows(first), strips, column, sums)) }
            }
        }
        for row in 0..rows {
            let [sums, up] = sums.each_ref().map(|sums| &sums[row][..n]);
            // Safety: by the caller.
            unsafe { task.output.epilogue().row(first + row, task.columns.start, sums, up) };
        }
    }
}

/// # Safety
/// The processor has the instructions of `I`.
#[inline(always)]
unsafe fn tile<I: Instructions, const M: usize>(
    x: [&[QuantizedBlock]; M],
    strips: [&[Group]; 2],
    column: usize,
    sums: &mut [[f32; PANEL_COLUMNS]; ROWS],
) {
    // Safety: by the caller.
    let totals = unsafe { I::totals::<M>(x, strips) };
    for (sums, totals) in sums.iter_mut().zip(&totals) {
        sums[column..column + 2 * STRIP].copy_from_slice(totals.as_flattened());
    }
}
