//! Weight rows in the order in which products in 8 bits take them.

use super::lanes::Lanes;
use super::{Instructions, NUMBERS};
use crate::cpu::buffers::Buffer;
use crate::cpu::gemm::output::Source;
use bytemuck::{Pod, Zeroable};
use qwen3_dtypes::{Dtype, strips};
use std::ops::Range;

/// Rows of a strip.
pub(super) const STRIP: usize = strips::ROWS / 2;
/// Numbers of a row beside each other: of one sum of products.
pub(super) const QUAD: usize = 4;
/// Blocks of a row that are multiplied at a time: two strips of them are 17 KiB, which stay in
/// the first-level cache.
pub(super) const BLOCKS: usize = 16;

/// Four codes of each row of a strip.
pub(super) type Quad = [u8; STRIP * QUAD];

/// A block of each row of two strips, a byte for each code: what rows are packed into, and
/// as [`qwen3_dtypes::strips`] has q8_0.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct ByteGroup {
    /// With what the instructions add to them.
    pub codes: [[Quad; NUMBERS / QUAD]; 2],
    /// In float16.
    pub scales: [[u16; STRIP]; 2],
}

/// A block of each row of two strips, half a byte for each code: as [`qwen3_dtypes::strips`]
/// has q4_0.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct NibbleGroup {
    /// 8 too large. Those of the first 16 numbers are in the lower halves.
    codes: [[Quad; NUMBERS / QUAD / 2]; 2],
    scales: [[u16; STRIP]; 2],
}

/// A block of each row of two strips.
pub(super) trait Group {
    /// A register of a quad of codes, from byte `first` on.
    ///
    /// # Safety
    /// The processor has the instructions of `L`.
    unsafe fn quad<L: Lanes>(&self, strip: usize, quad: usize, first: usize) -> L;

    /// Of each row of a strip, in float16.
    fn scales(&self, strip: usize) -> &[u16; STRIP];
}

impl Group for ByteGroup {
    /// # Safety
    /// See [`Group`].
    #[inline(always)]
    unsafe fn quad<L: Lanes>(&self, strip: usize, quad: usize, first: usize) -> L {
        // Safety: by the caller.
        unsafe { L::load_all(&self.codes[strip][quad][first..]) }
    }

    #[inline(always)]
    fn scales(&self, strip: usize) -> &[u16; STRIP] {
        &self.scales[strip]
    }
}

impl Group for NibbleGroup {
    /// # Safety
    /// See [`Group`].
    #[inline(always)]
    unsafe fn quad<L: Lanes>(&self, strip: usize, quad: usize, first: usize) -> L {
        let quads = &self.codes[strip];
        // Safety: by the caller.
        unsafe {
            let bytes = L::load_all(&quads[quad % quads.len()][first..]);
            let codes = if quad < quads.len() { bytes } else { bytes.right() };
            codes.and(L::each([15; 16]))
        }
    }

    #[inline(always)]
    fn scales(&self, strip: usize) -> &[u16; STRIP] {
        &self.scales[strip]
    }
}

/// Some blocks of two strips, one after the other.
#[derive(Clone, Copy)]
pub(super) enum Groups<'a> {
    /// Of a dtype.
    Bytes(Dtype, &'a [ByteGroup]),
    Nibbles(&'a [NibbleGroup]),
}

impl<'a> Groups<'a> {
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(_, groups) => groups.len(),
            Self::Nibbles(groups) => groups.len(),
        }
    }

    /// What rows were packed into.
    ///
    /// # Panics
    /// If they were stored as strips.
    pub fn of_rows(self) -> &'a [ByteGroup] {
        let Self::Bytes(_, groups) = self else { panic!("strips in half bytes") };
        groups
    }
}

/// Some lines of the cache that are asked for with each group, so that the next groups are there
/// when their turn comes.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    from: *const u8,
    lines: usize,
}

impl Ahead {
    /// Bytes of a line.
    const LINE: usize = 64;

    /// The part of a tile, of so many, of what follows some groups of a weight. Rows that are
    /// packed have been asked for.
    pub fn new(weight: &Source<i8>, groups: Groups, [tile, tiles]: [usize; 2]) -> Self {
        let bytes: &[u8] = match (weight, groups) {
            (Source::Strips(..), Groups::Bytes(_, groups)) => bytemuck::cast_slice(groups),
            (Source::Strips(..), Groups::Nibbles(groups)) => bytemuck::cast_slice(groups),
            _ => &[],
        };
        let lines = bytes.len().div_ceil(Self::LINE * BLOCKS * tiles);
        let before = tile * lines * BLOCKS * Self::LINE;
        Self { from: bytes.as_ptr_range().end.wrapping_add(before), lines }
    }

    /// With the group at `at`.
    ///
    /// # Safety
    /// The processor has the instructions of `L`.
    #[inline(always)]
    pub unsafe fn fetch<L: Lanes>(self, at: usize) {
        for line in 0..self.lines {
            let bytes = (at * self.lines + line) * Self::LINE;
            // Safety: by the caller.
            unsafe { L::fetch(self.from.wrapping_add(bytes)) };
        }
    }
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

/// Up to [`BLOCKS`] blocks of up to two strips of rows of a weight.
pub(super) struct Strips {
    packed: Buffer,
}

impl Strips {
    pub fn new() -> Self {
        Self { packed: Buffer::new(BLOCKS * size_of::<ByteGroup>()) }
    }

    /// Some blocks of some rows of a weight, `[n, k]`: where they are, or packed. Of rows that
    /// are missing anything.
    ///
    /// # Safety
    /// The processor has the instructions of `I`.
    ///
    /// # Panics
    /// If the weight isn't in blocks, or has not these.
    #[inline(always)]
    pub unsafe fn groups<'s, I: Instructions>(
        &'s mut self,
        weight: &Source<'s, i8>,
        k: usize,
        [rows, blocks]: [&Range<usize>; 2],
    ) -> Groups<'s> {
        match *weight {
            Source::Numbers(_) => panic!("codes without their scales"),
            Source::Strips(dtype, bytes) => {
                let bytes = &bytes[dtype.bytes_of(rows.start * k)..];
                match dtype {
                    Dtype::Q4_0 => Groups::Nibbles(&cast(bytes, k)[blocks.clone()]),
                    _ => Groups::Bytes(dtype, &cast(bytes, k)[blocks.clone()]),
                }
            }
            Source::Blocks(dtype, bytes) => {
                let row_bytes = dtype.bytes_of(k);
                let n = blocks.len();
                let packed = self.packed.as_mut_slice(n);
                for (strip, row) in rows.clone().step_by(STRIP).enumerate().filter(|_| n > 0) {
                    let bytes = &bytes[row * row_bytes + blocks.start * dtype.block_bytes()..];
                    let shape = [STRIP.min(rows.end - row), n];
                    let rows = BlockRows::new(dtype, bytes, row_bytes, shape);
                    // Safety: by the caller.
                    unsafe { I::pack(&rows, packed, strip) };
                }
                Groups::Bytes(dtype, packed)
            }
        }
    }
}

/// The blocks of the first two strips, whose rows have `k` numbers.
fn cast<G: Pod>(bytes: &[u8], k: usize) -> &[G] {
    bytemuck::cast_slice(&bytes[..k / NUMBERS * size_of::<G>()])
}
