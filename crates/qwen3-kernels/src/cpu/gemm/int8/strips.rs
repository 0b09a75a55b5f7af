//! Weight rows in the order in which products in 8 bits take them.

use super::{Instructions, NUMBERS};
use crate::cpu::buffers::Buffer;
use crate::cpu::gemm::output::Source;
use bytemuck::{Pod, Zeroable};
use qwen3_dtypes::Dtype;
use std::ops::Range;

/// Rows of a strip.
pub(super) const STRIP: usize = 16;
/// Numbers of a row beside each other: of one sum of products.
pub(super) const QUAD: usize = 4;
/// Blocks of a row that are packed at a time: two strips of them are 18 KiB, which stay in
/// the first-level cache.
pub(super) const BLOCKS: usize = 16;

/// A block of each row of a strip.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct Group {
    /// Four codes of each row, and the next four, with what the instructions add to them.
    pub codes: [[u8; STRIP * QUAD]; NUMBERS / QUAD],
    /// Of each row.
    pub scales: [f32; STRIP],
}

/// Some blocks of the rows of a strip, where they are stored.
pub(super) struct BlockRows<'a> {
    pub dtype: Dtype,
    /// From the first row's first of them on to the last row's last.
    bytes: &'a [u8],
    row_bytes: usize,
    /// Of each row.
    blocks: usize,
}

impl<'a> BlockRows<'a> {
    /// # Panics
    /// If there are no rows or no blocks, or more than bytes.
    fn new(dtype: Dtype, bytes: &'a [u8], row_bytes: usize, [rows, blocks]: [usize; 2]) -> Self {
        let end = (rows - 1) * row_bytes + blocks * dtype.block_bytes();
        Self { dtype, bytes: &bytes[..end], row_bytes, blocks }
    }

    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    pub fn len(&self) -> usize {
        self.bytes.len().div_ceil(self.row_bytes)
    }

    /// Those of a row, or of the last one if there are fewer.
    pub fn row(&self, row: usize) -> &'a [u8] {
        let start = row.min(self.len() - 1) * self.row_bytes;
        &self.bytes[start..][..self.blocks * self.dtype.block_bytes()]
    }
}

/// Two strips of up to [`BLOCKS`] blocks.
pub(super) struct Strips {
    groups: Buffer,
    dtype: Dtype,
    blocks: Range<usize>,
}

impl Strips {
    /// Without blocks.
    pub fn new() -> Self {
        let groups = Buffer::new(2 * BLOCKS * size_of::<Group>());
        Self { groups, dtype: Dtype::Q8_0, blocks: 0..0 }
    }

    /// The blocks of some rows of a weight, `[n, k]`, from block `first` on.
    ///
    /// # Safety
    /// The processor has the instructions of `I`.
    ///
    /// # Panics
    /// If the weight isn't in blocks, or has not these.
    #[inline(always)]
    pub unsafe fn pack<I: Instructions>(
        &mut self,
        weight: &Source<i8>,
        k: usize,
        rows: &Range<usize>,
        first: usize,
    ) {
        let Source::Blocks(dtype, bytes) = *weight else { panic!("codes without their scales") };
        let row_bytes = dtype.bytes_of(k);
        self.dtype = dtype;
        self.blocks = first..(k / NUMBERS).min(first + BLOCKS);
        let n = self.blocks.len();
        if n == 0 {
            return;
        }
        let strips = self.groups.as_mut_slice(n);
        for (which, row) in rows.clone().step_by(STRIP).enumerate() {
            let bytes = &bytes[row * row_bytes + first * dtype.block_bytes()..];
            let shape = [STRIP.min(rows.end - row), n];
            let rows = BlockRows::new(dtype, bytes, row_bytes, shape);
            // Safety: by the caller.
            unsafe { I::pack(&rows, strips, which) };
        }
    }

    /// What they are packed of.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Which ones of a row.
    pub fn blocks(&self) -> Range<usize> {
        self.blocks.clone()
    }

    /// A block of each; of a second strip without rows anything.
    pub fn as_slice(&self) -> &[[Group; 2]] {
        self.groups.as_slice(self.blocks.len())
    }
}
