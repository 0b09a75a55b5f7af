//! The product in 8 bits, of weights that are whole numbers of which 32 have one scale.
//!
//! `x` is rounded to whole numbers from -127 to 127 with a scale for each 32
//! ([`QuantizedX`]). A few blocks of weight rows are read as two strips of 16 rows, or brought
//! into them ([`Strips`]), so that a register holds four numbers of each row. They stay in the
//! first-level cache while all rows of `x` pass by, a tile of a few rows at a time:
//!
//! ```text
//!   sum   = Σ over 32 numbers   x · w         in whole numbers, exactly
//!   total = fma(sum, scale of w · scale of x, total)   block after block, in float32
//! ```
//!
//! Where numbers of the weight have a minimum, `scale · code − minimum`, the next step is
//! `total = fma(−minimum, scale of x · Σ x, total)`; where 16 have a scale, these are two sums of
//! 16 numbers.
//!
//! This formula has one result, so every set of instructions gives the same bits.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_sums;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod lanes;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod k_blocks;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_i8mm;
#[cfg(target_arch = "aarch64")]
mod neon_registers;
mod plain;
mod quantize;
#[cfg(target_arch = "x86_64")]
mod registers;
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "others read no strips where they are stored")
)]
mod groups;
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
use groups::{Ahead, BLOCKS, ByteGroup, Groups, HalvesGroup, MinimumGroup, STRIP};
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::gemm as gemm_neon_dot;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon_i8mm::gemm as gemm_neon_i8mm;
pub(crate) use plain::{codes, gemm as gemm_plainly};
use quantize::{QuantizedBlock, QuantizedX};
use qwen3_dtypes::{Dtype, Layout};
use rayon::iter::ParallelIterator;
use std::ops::Range;
use strips::{BlockRows, Strips};

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
    let of_32 = matches!(dtype, Dtype::Q8_0 | Dtype::Q5_0 | Dtype::Q4_0);
    of_32 || matches!(dtype, Dtype::Q6_K | Dtype::Q5_K | Dtype::Q4_K)
}

/// In which layout such weights are multiplied fastest.
pub(crate) fn layout(isa: Isa) -> Layout {
    match isa {
        Isa::Avx512Bf16 | Isa::Avx512Vnni | Isa::AvxVnni | Isa::Avx2 => Layout::Strips,
        _ => Layout::Rows,
    }
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
    unsafe fn pack(rows: &BlockRows, groups: &mut [ByteGroup], strip: usize);

    /// The same of blocks whose numbers have minima, 32 numbers in a group.
    ///
    /// # Safety
    /// See [`Instructions::pack`].
    unsafe fn pack_minima(rows: &BlockRows, groups: &mut [MinimumGroup], strip: usize);

    /// The same of blocks with a scale for each 16 numbers, 32 numbers in a group.
    ///
    /// # Safety
    /// See [`Instructions::pack`].
    unsafe fn pack_halves(rows: &BlockRows, groups: &mut [HalvesGroup], strip: usize);

    /// Adds to the totals of some rows of `x` and two strips the products of as many blocks.
    /// Meanwhile it may ask for what is `ahead`.
    ///
    /// # Safety
    /// See [`Instructions::pack`].
    ///
    /// # Panics
    /// If [`layout`] says nothing of such strips.
    unsafe fn add<const M: usize>(
        totals: &mut [Totals; M],
        x: &[[QuantizedBlock; M]],
        groups: Groups,
        ahead: Ahead,
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
    let (weights, n_blocks) = (task.output.weights().each(), x.k() / NUMBERS);
    for (which, weight) in weights.iter().enumerate() {
        for first in (0..n_blocks.max(1)).step_by(BLOCKS) {
            let blocks = first..n_blocks.min(first + BLOCKS);
            // Safety: by the caller.
            let groups = unsafe { strips.groups::<I>(weight, x.k(), [&columns, &blocks]) };
            let is_last = which + 1 == weights.len() && blocks.end == n_blocks;
            let tiles = sums.chunks_mut(ROWS).zip(up.chunks_mut(ROWS)).enumerate();
            for (tile, (sums, up)) in tiles {
                let row = rows.start + tile * ROWS;
                let ahead = Ahead::new(weight, groups, [tile, rows.len().div_ceil(ROWS)]);
                let totals = if which == 0 { &mut *sums } else { &mut *up };
                // Safety: by the caller.
                unsafe { add::<I>(x, [row, first], (groups, ahead), totals) };
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

/// The products of a tile, from a row and a block on.
///
/// # Safety
/// The processor has the instructions of `I`.
#[inline(always)]
unsafe fn add<I: Instructions>(
    x: &QuantizedX,
    [row, block]: [usize; 2],
    (groups, ahead): (Groups, Ahead),
    totals: &mut [Totals],
) {
    with_rows!(totals.len(), M => {
        let totals: &mut [Totals; M] = totals.try_into().expect("so many rows");
        let x = x.tile(row, block..block + groups.len());
        // Safety: by the caller.
        unsafe { I::add(totals, x, groups, ahead) };
    });
}
