//! AMX, the processor's unit for tiles of bfloat16 pairs: the instructions alone.
//! What is computed with them is in `gemm/amx/`.

mod available;
mod processor;
mod tile;
mod tiles;

pub(crate) use available::is_available;
pub(crate) use processor::Processor;
pub(crate) use tile::{SIDE, Tile, transposed_512};
#[cfg(test)]
pub(crate) use tiles::{Emulated, add_dot_products};
pub(crate) use tiles::{STEP, Strip, Tiles};
