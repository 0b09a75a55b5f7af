//! `y = x · weightᵀ` on the CPU from weights as the checkpoint stores them:
//! `[out, in]`, row after row, in float32, float16 or bfloat16.
//!
//! Every number of `y` is one dot product of a row of `x` and a row of the
//! weight, summed in one fixed order whatever else is computed beside it. So a
//! text's vector doesn't depend on its batch, to the last bit. Weights are never
//! packed as a whole: a mapped file is computed from in place. Those in blocks become numbers a
//! panel at a time, in memory that stays in the second-level cache (`rows.rs`).
//!
//! In reading order: [`gemm`] asks `path.rs` how to compute, brings `x` into the
//! dtype (`bf16.rs`) and layout (`pack.rs`) that it says, and cuts the work into
//! blocks (`tasks.rs`), a panel of weight rows that stays in the second-level cache
//! while all rows of `x` pass by. A block is computed tile by tile, as dot products
//! (`dot.rs`), outer products (`outer.rs`, `few.rs`), with AMX (`amx/`) or in 8 bits (`int8/`); the microkernels
//! are compiled for the registers of each processor (`microkernel.rs`, `x86/`,
//! `neon.rs`, `portable.rs`). What is done with the sums is the epilogue's affair.
//!
//! Attention's products, of matrices that are both activations, are
//! `accumulate.rs`.

mod output;
mod path;
mod tasks;
mod rows;
mod block;
mod dot;
#[cfg(target_arch = "x86_64")]
mod outer;
#[cfg(target_arch = "x86_64")]
mod few;
mod accumulate;
mod epilogue;
pub(crate) mod bf16;
#[cfg(target_arch = "x86_64")]
mod pack;
#[cfg(target_arch = "x86_64")]
pub(crate) mod transpose;
mod widen;
mod microkernel;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
mod int8;
#[cfg(test)]
mod tests;

use crate::cpu::buffers::Buffer;
use crate::cpu::isa::Isa;
pub(crate) use accumulate::{Accumulate, Sum};
use block::{Block, Macrokernel};
pub(crate) use epilogue::GatedOut;
pub(crate) use int8::layout;
use microkernel::DOT_COLUMNS;
pub(crate) use output::{Input, Output, Source};
#[cfg(target_arch = "x86_64")]
use pack::PackedX;
use path::Path;
pub(crate) use path::{
    Format, accumulate_f32, accumulate_pairs, dtype_of_blocks, has_pair_products, rounds_input,
    with_format,
};
use rayon::iter::ParallelIterator;
use rows::Rows;
use tasks::tasks;
#[cfg(all(target_arch = "x86_64", feature = "autodiff"))]
pub(crate) use transpose::transpose_256;

/// The products of `x`, `[m, k]`, with the weights of each output.
///
/// # Panics
/// If a slice is not of its shape, or `x` is rounded and the path doesn't round.
pub(crate) fn gemm<W: Format>(isa: Isa, [m, k]: [usize; 2], x: Input, outputs: &[Output<W>]) {
    assert!(m * k == x.len(), "x is not [{m}, {k}]");
    outputs.iter().for_each(|output| output.assert_shape([m, k]));
    let plan = |tile| Plan { isa, shape: [m, k], tile };
    match W::path(isa) {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        Path::AmxBf16(gemm) => gemm([m, k], x, outputs),
        Path::DotBf16(macrokernel) => match x {
            Input::Bf16(x) => run(plan([1, DOT_COLUMNS]), macrokernel, x, outputs),
            Input::F32(x) => {
                let mut rounded = Buffer::new(size_of_val(x));
                bf16::round(isa, x, rounded.as_mut_slice(x.len()));
                run(plan([1, DOT_COLUMNS]), macrokernel, rounded.as_slice(x.len()), outputs);
            }
        },
        #[cfg(target_arch = "x86_64")]
        Path::OuterF32(tile, [_, macrokernel]) if m <= few::FEW => {
            run(plan([1, tile.lanes]), macrokernel, x.in_f32(), outputs);
        }
        #[cfg(target_arch = "x86_64")]
        Path::OuterF32(tile, [macrokernel, _]) => {
            // Safety: the processor has the instructions (`Isa`).
            let x = unsafe { PackedX::new(tile, [m, k], x.in_f32()) };
            run(plan([tile.rows, tile.columns]), macrokernel, x.as_slice(), outputs);
        }
        Path::Int8(gemm) => gemm([m, k], x, outputs),
        Path::DotF32(macrokernel) => {
            run(plan([1, DOT_COLUMNS]), macrokernel, x.in_f32(), outputs);
        }
    }
}

/// How a product is computed.
struct Plan {
    isa: Isa,
    /// `[m, k]` of `x`.
    shape: [usize; 2],
    /// Rows and columns that are computed at once.
    tile: [usize; 2],
}

/// Computes all outputs in parallel, block by block, each of whole tiles as far as
/// there are rows and columns.
fn run<X: Sync, W: Format>(
    Plan { isa, shape: [m, k], tile }: Plan,
    macrokernel: Macrokernel<X, W>,
    x: &[X],
    outputs: &[Output<W>],
) {
    tasks(outputs, [m, k], tile).for_each(|task| {
        let rows = task.weight_rows(isa, k);
        let weights: Vec<&[W]> = rows.iter().map(Rows::as_slice).collect();
        // Safety: the processor has the instructions (`Isa`), no two tasks share
        // a row and a column, and the memory of an output lives as long as it.
        unsafe { macrokernel(&Block::new(k, x, &weights, &task)) };
    });
}
