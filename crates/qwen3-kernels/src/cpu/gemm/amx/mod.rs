//! The product with AMX: tiles of bfloat16 pairs, summed in float32.
//!
//! What is computed is `yᵀ = weight · xᵀ`, so that the weight needs no packing:
//! a tile of it is 16 rows of 32 numbers as they lie in memory. `x` is packed
//! once for all of them ([`PackedX`]), while it is rounded.
//!
//! ```text
//!                     32 rows of x, packed
//!                    ┌─────────┬─────────┐
//!                    │ B0      │ B1      │   32 numbers of each row at a time
//!                    └─────────┴─────────┘
//!           ┌──────┐ ┌─────────┬─────────┐
//!  a strip  │ A0   │ │ C00     │ C10     │   C: 16 × 16 sums
//!           ├──────┤ ├─────────┼─────────┤
//!  another  │ A1   │ │ C01     │ C11     │
//!           └──────┘ └─────────┴─────────┘
//! ```
//!
//! Every sum runs over `k` in the same steps, so it doesn't depend on what is
//! computed beside it. What is missing of a tile is zeros, which add nothing.

mod pack;
mod pairs;
mod panel;
#[cfg(test)]
mod tests;

use super::epilogue::Epilogue;
use super::output::{Input, Output};
use super::rows::Rows;
use super::tasks::tasks;
use crate::cpu::amx::{Processor, SIDE, Tiles};
use crate::cpu::isa::Isa;
use burn::tensor::bf16;
use pack::{PackedX, TOKENS};
pub(crate) use pairs::accumulate_pairs;
use panel::Panel;
use rayon::iter::ParallelIterator;
use std::ops::Range;

/// As [`super::gemm`]; `x` is packed once for all outputs.
///
/// # Panics
/// If this processor has no AMX.
pub(crate) fn gemm(shape: [usize; 2], x: Input, outputs: &[Output<bf16>]) {
    gemm_on(Processor::configured, shape, x, outputs);
}

/// [`gemm`] on any tiles, new ones for each task.
fn gemm_on<T: Tiles>(
    tiles: impl Fn() -> T + Sync,
    [m, k]: [usize; 2],
    x: Input,
    outputs: &[Output<bf16>],
) {
    let x = PackedX::new([m, k], x);
    // Emulated tiles are multiplied on any processor.
    let isa = Isa::best();
    tasks(outputs, [m, k], [TOKENS, 2 * SIDE]).for_each(|task| {
        let rows = task.weight_rows(isa, k);
        let weights: Vec<&[bf16]> = rows.iter().map(Rows::as_slice).collect();
        let panel = Panel::new(k, &weights, task.columns.clone());
        // Safety: no two tasks share a row and a column, and the memory of an output
        // lives as long as it. AVX-512 is asked for.
        unsafe {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                finish_512(&panel, &mut tiles(), &x, task.rows, task.output.epilogue());
            } else {
                finish(&panel, &mut tiles(), &x, task.rows, task.output.epilogue());
            }
        }
    });
}

/// Computes all of a panel, to its end.
///
/// # Safety
/// Nobody else uses these rows and columns of the output, which is alive.
#[inline(always)]
unsafe fn finish(
    panel: &Panel,
    tiles: &mut impl Tiles,
    x: &PackedX,
    rows: Range<usize>,
    epilogue: &Epilogue,
) {
    panel.compute(tiles, x, rows, |row, column, n, strips| {
        let here = n.min(SIDE);
        for (row, (first, second)) in (row..).zip(strips[0].iter().zip(strips[1])) {
            // Safety: by the caller.
            unsafe {
                epilogue.row(row, column, &first[..here], &second[..here]);
                if n > SIDE {
                    epilogue.row(row, column + SIDE, &second[..n - SIDE], &[]);
                }
            }
        }
    });
}

/// [`finish`] as the compiler makes it of the same code.
///
/// # Safety
/// As [`finish`], and the processor has AVX-512 F and BW.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn finish_512(
    panel: &Panel,
    tiles: &mut impl Tiles,
    x: &PackedX,
    rows: Range<usize>,
    epilogue: &Epilogue,
) {
    // Safety: by the caller.
    unsafe { finish(panel, tiles, x, rows, epilogue) };
}
