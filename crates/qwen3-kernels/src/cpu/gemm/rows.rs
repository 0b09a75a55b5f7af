//! Weight rows as products take them: in place, or made of blocks.

use super::output::Source;
use super::path::Format;
use crate::cpu::buffers::Buffer;
use crate::cpu::isa::Isa;
use std::ops::Range;

/// The rows of a panel, one after the other.
pub(super) enum Rows<'a, W> {
    InPlace(&'a [W]),
    /// A copy, which stays in the second-level cache, and its length.
    Made(Buffer, usize),
}

impl<'a, W: Format> Rows<'a, W> {
    /// Rows of a weight, `[n, k]`.
    ///
    /// # Panics
    /// If it has not these rows, or is stored as strips.
    pub fn new(isa: Isa, weight: &Source<'a, W>, k: usize, rows: &Range<usize>) -> Self {
        let numbers = rows.start * k..rows.end * k;
        match *weight {
            Source::Numbers(weight) => Self::InPlace(&weight[numbers]),
            Source::Strips(..) => panic!("strips for other products than those in 8 bits"),
            Source::Blocks(dtype, blocks) => {
                let blocks = &blocks[dtype.bytes_of(numbers.start)..dtype.bytes_of(numbers.end)];
                let mut buffer = Buffer::new(numbers.len() * size_of::<W>());
                W::widen(isa, dtype, blocks, buffer.as_mut_slice(numbers.len()));
                Self::Made(buffer, numbers.len())
            }
        }
    }

    pub fn as_slice(&self) -> &[W] {
        match self {
            Self::InPlace(rows) => rows,
            Self::Made(buffer, len) => buffer.as_slice(*len),
        }
    }
}
