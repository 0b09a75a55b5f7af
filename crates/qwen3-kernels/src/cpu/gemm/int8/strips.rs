//! Weight rows in the order in which products in 8 bits take them.

use super::{Instructions, NUMBERS};
use crate::cpu::buffers::Buffer;
use crate::cpu::gemm::output::Source;
use bytemuck::{Pod, Zeroable};
use std::ops::Range;

/// Rows of a strip: sums in a register.
pub(super) const STRIP: usize = 16;
/// Numbers of a row beside each other: of one sum of products.
pub(super) const QUAD: usize = 4;

/// A block of each row of a strip.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct Group {
    /// Four numbers of each row, and the next four, each 128 too large.
    pub codes: [[u8; STRIP * QUAD]; NUMBERS / QUAD],
    /// Of each row.
    pub scales: [f32; STRIP],
}

/// The rows of a panel, strip after strip.
pub(super) struct Strips {
    /// Blocks of a row.
    blocks: usize,
    strips: usize,
    groups: Buffer,
}

impl Strips {
    /// Some rows of a weight, `[n, k]`.
    ///
    /// # Safety
    /// The processor has the instructions of `I`.
    ///
    /// # Panics
    /// If the weight isn't in blocks, or has not these rows.
    #[inline(always)]
    pub unsafe fn new<I: Instructions>(weight: &Source<i8>, k: usize, rows: &Range<usize>) -> Self {
        let Source::Blocks(dtype, blocks) = *weight else { panic!("codes without their scales") };
        let row_bytes = dtype.bytes_of(k);
        let bytes = &blocks[rows.start * row_bytes..rows.end * row_bytes];
        let (strips, blocks) = (rows.len().div_ceil(STRIP), k / NUMBERS);
        let n = strips * blocks;
        let mut groups = Buffer::new(n * size_of::<Group>());
        let each = groups.as_mut_slice::<Group>(n).chunks_mut(blocks.max(1));
        for (groups, bytes) in each.zip(bytes.chunks((STRIP * row_bytes).max(1))) {
            // Safety: by the caller.
            unsafe { I::pack(dtype, k, bytes, groups) };
        }
        Self { blocks, strips, groups }
    }

    /// A strip and the next, or the last one twice.
    #[inline(always)]
    pub fn pair(&self, strip: usize) -> [&[Group]; 2] {
        let groups = self.groups.as_slice(self.strips * self.blocks);
        [strip, (strip + 1).min(self.strips - 1)]
            .map(|strip| &groups[strip * self.blocks..][..self.blocks])
    }
}
