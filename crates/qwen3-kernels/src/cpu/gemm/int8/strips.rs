//! Weight rows as groups: where they are stored so, or packed a few blocks at a time.

use super::groups::{BLOCKS, Groups, MinimumGroup, STRIP};
use super::{Instructions, NUMBERS};
use crate::cpu::buffers::Buffer;
use crate::cpu::gemm::output::Source;
use bytemuck::Pod;
use qwen3_dtypes::Dtype;
use std::ops::Range;

/// Some blocks of the rows of a strip, where they are stored.
pub(super) struct BlockRows<'a> {
    pub dtype: Dtype,
    /// From the first row's first of them on to the last row's last.
    bytes: &'a [u8],
    row_bytes: usize,
    /// Of each row's blocks.
    blocks_bytes: usize,
}

impl<'a> BlockRows<'a> {
    /// So many rows, and numbers of each.
    ///
    /// # Panics
    /// If there are no rows or no numbers, or more than bytes.
    fn new(dtype: Dtype, bytes: &'a [u8], row_bytes: usize, [rows, n]: [usize; 2]) -> Self {
        let blocks_bytes = dtype.bytes_of(n);
        let end = (rows - 1) * row_bytes + blocks_bytes;
        Self { dtype, bytes: &bytes[..end], row_bytes, blocks_bytes }
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
        &self.bytes[start..][..self.blocks_bytes]
    }
}

/// Up to [`BLOCKS`] blocks of up to two strips of rows of a weight.
pub(super) struct Strips {
    packed: Buffer,
}

impl Strips {
    pub fn new() -> Self {
        Self { packed: Buffer::new(BLOCKS * size_of::<MinimumGroup>()) }
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
                let (row_bytes, n) = (dtype.bytes_of(k), blocks.len());
                for (strip, row) in rows.clone().step_by(STRIP).enumerate().filter(|_| n > 0) {
                    let bytes = &bytes[row * row_bytes + dtype.bytes_of(NUMBERS * blocks.start)..];
                    let shape = [STRIP.min(rows.end - row), NUMBERS * n];
                    let rows = BlockRows::new(dtype, bytes, row_bytes, shape);
                    // Safety: by the caller.
                    unsafe {
                        match dtype {
                            Dtype::Q4_K | Dtype::Q5_K => {
                                I::pack_minima(&rows, self.packed.as_mut_slice(n), strip);
                            }
                            Dtype::Q6_K => {
                                I::pack_halves(&rows, self.packed.as_mut_slice(n), strip);
                            }
                            _ => I::pack(&rows, self.packed.as_mut_slice(n), strip),
                        }
                    }
                }
                match dtype {
                    Dtype::Q4_K | Dtype::Q5_K => Groups::Minima(self.packed.as_slice(n)),
                    Dtype::Q6_K => Groups::Halves(self.packed.as_slice(n)),
                    _ => Groups::Bytes(dtype, self.packed.as_slice(n)),
                }
            }
        }
    }
}

/// The blocks of the first two strips, whose rows have `k` numbers.
fn cast<G: Pod>(bytes: &[u8], k: usize) -> &[G] {
    bytemuck::cast_slice(&bytes[..k / NUMBERS * size_of::<G>()])
}
