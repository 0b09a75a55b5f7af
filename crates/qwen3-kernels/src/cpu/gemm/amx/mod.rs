//! The product with AMX: tiles of bfloat16 pairs, summed in float32.
//!
//! For a few rows of `x`, `yᵀ = weight · xᵀ` is computed, so that the weight needs no
//! packing: a tile of it is 16 rows of 32 numbers as they lie in memory. For many rows,
//! `y = x · weightᵀ` is: then packing a panel of the weight costs less than turning sums.
//! `x` is packed once for all panels ([`PackedX`]), while it is rounded.
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
//! The other order has x and the weight change places. Every sum runs over `k` in the same
//! steps, and a product of pairs is the same from both sides, so no sum depends on what is
//! computed beside it. What is missing of a tile is zeros, which add nothing.

mod pack;
mod pairs;
mod panel;
#[cfg(test)]
mod tests;

use super::epilogue::Epilogue;
use super::output::{Input, Output};
use super::rows::Rows;
use super::tasks::tasks_of_panels;
use crate::cpu::amx::{Processor, SIDE, Tiles};
use crate::cpu::isa::Isa;
use burn::tensor::bf16;
use pack::{PackedX, TOKENS};
pub(crate) use pairs::accumulate_pairs;
use panel::{Panel, Take};
use rayon::iter::ParallelIterator;
use std::ops::Range;

/// Bytes of the weight rows of one task: processors with AMX have a second-level cache of
/// 2 MiB.
const PANEL_BYTES: usize = 768 * 1024;

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
    tasks_of_panels(outputs, [m, k], [TOKENS, 2 * SIDE], PANEL_BYTES).for_each(|task| {
        let rows = task.weight_rows(isa, k);
        let weights: Vec<&[bf16]> = rows.iter().map(Rows::as_slice).collect();
        let panel = Panel::new(k, &weights, task.columns.clone());
        // Safety: no two tasks share a row and a column, and the memory of an output
        // lives as long as it.
        unsafe { finish(&panel, &mut tiles(), &x, task.rows, task.output.epilogue()) };
    });
}

/// Ends rows in an output's way.
struct Ended<'a>(&'a Epilogue<'a>);

impl Take for Ended<'_> {
    #[inline(always)]
    fn rows(&mut self, [row, column]: [usize; 2], n: usize, strips: [&[[f32; SIDE]]; 2]) {
        let Self(epilogue) = self;
        for (row, (first, second)) in (row..).zip(strips[0].iter().zip(strips[1])) {
            // Safety: by the caller of `finish`. Whole strips are cases of their own because
            // their length is known when this is compiled.
            unsafe {
                match n {
                    SIDE => epilogue.row(row, column, first, second),
                    n if n < SIDE => epilogue.row(row, column, &first[..n], &second[..n]),
                    n => {
                        epilogue.row(row, column, first, &[]);
                        match n - SIDE {
                            SIDE => epilogue.row(row, column + SIDE, second, &[]),
                            n => epilogue.row(row, column + SIDE, &second[..n], &[]),
                        }
                    }
                }
            }
        }
    }
}

/// Computes all of a panel, to its end, with AVX-512 where the processor has it.
///
/// # Safety
/// Nobody else uses these rows and columns of the output, which is alive.
unsafe fn finish(
    panel: &Panel,
    tiles: &mut impl Tiles,
    x: &PackedX,
    rows: Range<usize>,
    epilogue: &Epilogue,
) {
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
        // Safety: the processor has the instructions; by the caller.
        unsafe { finish_512(panel, tiles, x, rows, epilogue) };
    } else {
        panel.compute(tiles, x, rows, &mut Ended(epilogue));
    }
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
    panel.compute(tiles, x, rows, &mut Ended(epilogue));
}
