//! The registers of x86-64, and what is compiled for them.

mod dot;
mod outer;

pub(crate) use dot::{dot_512, dot_bf16_512};
pub(crate) use outer::{
    TILE_256, TILE_512, accumulate_256, accumulate_512, accumulate_pairs_512, outer_256, outer_512,
    outer_of_few,
};

/// Rows whose sums fit 16 registers, in tiles of two registers, beside their operands.
const ROWS_256: usize = 6;
/// Rows whose sums fit 32 registers, in tiles of four, beside their operands.
const ROWS_512: usize = 6;
