//! What a tile register holds.

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

/// Matrix as columns: in blocks of 2 × 2, of 4 × 4, and then the blocks.
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
    let mut twos = rows;
    for i in (0..SIDE).step_by(2) {
        twos[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        twos[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    // In each quarter q of `fours[4 * i + c]`: column 4 q + c of rows 4 i to 4 i + 3.
    let mut fours = twos;
    for i in (0..SIDE).step_by(4) {
        fours[i] = _mm512_unpacklo_epi64(twos[i], twos[i + 2]);
        fours[i + 1] = _mm512_unpackhi_epi64(twos[i], twos[i + 2]);
        fours[i + 2] = _mm512_unpacklo_epi64(twos[i + 1], twos[i + 3]);
        fours[i + 3] = _mm512_unpackhi_epi64(twos[i + 1], twos[i + 3]);
    }
    /// Quarters 0 and 2 of both, quarters 1 and 3 of both.
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let mut columns = fours;
    for c in 0..4 {
        let [a, b, d, e] = [fours[c], fours[4 + c], fours[8 + c], fours[12 + c]];
        let even = [_mm512_shuffle_i32x4::<EVEN>(a, b), _mm512_shuffle_i32x4::<EVEN>(d, e)];
        let odd = [_mm512_shuffle_i32x4::<ODD>(a, b), _mm512_shuffle_i32x4::<ODD>(d, e)];
        columns[c] = _mm512_shuffle_i32x4::<EVEN>(even[0], even[1]);
        columns[8 + c] = _mm512_shuffle_i32x4::<ODD>(even[0], even[1]);
        columns[4 + c] = _mm512_shuffle_i32x4::<EVEN>(odd[0], odd[1]);
        columns[12 + c] = _mm512_shuffle_i32x4::<ODD>(odd[0], odd[1]);
    }
    let mut transposed = Tile::ZERO;
    for (row, column) in transposed.0.iter_mut().zip(columns) {
        // Safety: 64 bytes.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), column) };
    }
    transposed
}
