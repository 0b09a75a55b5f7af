//! What a tile register holds.

use crate::cpu::gemm::transpose;
use bytemuck::{Pod, Zeroable};
use std::arch::x86_64::*;

/// Rows of a tile, and columns of four bytes.
pub(crate) const SIDE: usize = 16;

/// 16 rows of 64 bytes, each of 16 float32 numbers
/// or of 16 pairs of bfloat16 numbers, the first one in the lower half.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub(crate) struct Tile(pub [[u32; SIDE]; SIDE]);

impl Tile {
    pub const ZERO: Self = Self([[0; SIDE]; SIDE]);

    /// Matrix as columns.
    pub fn transposed(&self) -> Self {
        if is_x86_feature_detected!("avx512f") {
            // Safety: the processor has the instructions.
            unsafe { transposed_512(self) }
        } else {
            self.transposed_plainly()
        }
    }

    /// As float32 numbers.
    pub fn as_f32(&self) -> &[[f32; SIDE]; SIDE] {
        bytemuck::cast_ref(&self.0)
    }

    pub fn transposed_plainly(&self) -> Self {
        Self(std::array::from_fn(|row| std::array::from_fn(|column| self.0[column][row])))
    }
}

/// Matrix as columns.
///
/// # Safety
/// The processor has AVX-512 F.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn transposed_512(tile: &Tile) -> Tile {
    let mut rows = [_mm512_setzero_si512(); SIDE];
    for (to, row) in rows.iter_mut().zip(&tile.0) {
        // Safety: 64 bytes.
        *to = unsafe { _mm512_loadu_si512(row.as_ptr().cast()) };
    }
    let mut transposed = Tile::ZERO;
    // Safety: by the caller.
    let columns = unsafe { transpose::transposed_512(rows) };
    for (row, column) in transposed.0.iter_mut().zip(columns) {
        // Safety: 64 bytes.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), column) };
    }
    transposed
}
