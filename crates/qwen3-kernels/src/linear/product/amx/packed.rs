//! The left side of a product, rounded, in the order in which tiles take it.

use super::tiles::STEP;
use super::{STRIP, TOKENS, steps};
use crate::buffers::Buffer;
use burn::tensor::bf16;
use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;
use std::arch::x86_64::*;

/// What a tile register holds: 16 rows of 64 bytes, each of 16 float32 numbers
/// or of 16 pairs of bfloat16 numbers, the first one in the lower half.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub(super) struct Tile(pub [[u32; STRIP]; STRIP]);

/// `[m, k]` in bfloat16: for 32 rows at a time, for 32 columns at a time, two
/// tiles of 16 of these rows, transposed pair by pair.
pub(super) struct Packed {
    shape: [usize; 2],
    tiles: Buffer,
}

impl Packed {
    /// Rounds and packs, in parallel.
    ///
    /// # Panics
    /// If `x` is smaller.
    pub fn new<T: Copy + Sync>(
        [m, k]: [usize; 2],
        x: &[T],
        round: impl Fn(T) -> bf16 + Copy + Sync,
    ) -> Self {
        assert!(x.len() >= m * k, "{} numbers for [{m}, {k}]", x.len());
        let tiles = m.div_ceil(TOKENS) * steps(k);
        let mut packed = Self { shape: [m, k], tiles: Buffer::new(tiles * size_of::<[Tile; 2]>()) };
        let blocks = packed.tiles.numbers_mut::<[Tile; 2]>(tiles).par_chunks_mut(steps(k));
        blocks.enumerate().for_each(|(block, tiles)| {
            for half in 0..2 {
                let start = m.min(block * TOKENS + half * STRIP);
                let x = &x[start * k..m.min(start + STRIP) * k];
                for (step, tiles) in tiles.iter_mut().enumerate() {
                    tiles[half] = packed_tile(k, step, x, round);
                }
            }
        });
        packed
    }

    /// The tiles of 32 rows, step by step.
    ///
    /// # Panics
    /// If there are no such rows, or they have not `k` columns.
    pub fn block(&self, k: usize, block: usize) -> &[[Tile; 2]] {
        let [m, columns] = self.shape;
        assert_eq!(k, columns, "columns of `x`");
        let tiles = self.tiles.numbers(m.div_ceil(TOKENS) * steps(k));
        &tiles[block * steps(k)..][..steps(k)]
    }
}

/// Numbers of one step of up to 16 rows, zeros for the missing.
fn packed_tile<T: Copy>(k: usize, step: usize, x: &[T], round: impl Fn(T) -> bf16) -> Tile {
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
        // Safety: the processor has the instructions.
        unsafe { packed_tile_512(k, step, x, round) }
    } else {
        pairs(k, step, x, round).transposed()
    }
}

/// [`packed_tile`] as the compiler makes it of the same code.
///
/// # Safety
/// The processor has AVX-512 F and BW.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn packed_tile_512<T: Copy>(
    k: usize,
    step: usize,
    x: &[T],
    round: impl Fn(T) -> bf16,
) -> Tile {
    // Safety: by the caller.
    unsafe { transposed_512(&pairs(k, step, x, round)) }
}

/// Numbers of one step, a row of `x` in a row.
#[inline(always)]
fn pairs<T: Copy>(k: usize, step: usize, x: &[T], round: impl Fn(T) -> bf16) -> Tile {
    let mut tile = Tile::ZERO;
    for (row, x) in tile.0.iter_mut().zip(x.chunks_exact(k.max(1))) {
        let x = &x[step * STEP..k.min((step + 1) * STEP)];
        let pair =
            |low, high| u32::from(round(low).to_bits()) | u32::from(round(high).to_bits()) << 16;
        let (twos, rest) = x.as_chunks::<2>();
        for (to, &[low, high]) in row.iter_mut().zip(twos) {
            *to = pair(low, high);
        }
        if let &[last] = rest {
            row[twos.len()] = u32::from(round(last).to_bits());
        }
    }
    tile
}

impl Tile {
    pub const ZERO: Self = Self([[0; STRIP]; STRIP]);

    /// Rows as columns.
    pub fn transposed(&self) -> Self {
        if is_x86_feature_detected!("avx512f") {
            // Safety: the processor has the instructions.
            unsafe { transposed_512(self) }
        } else {
            self.transposed_plainly()
        }
    }

    /// As float32 numbers.
    pub fn numbers(&self) -> &[[f32; STRIP]; STRIP] {
        bytemuck::cast_ref(&self.0)
    }

    pub(super) fn transposed_plainly(&self) -> Self {
        Self(std::array::from_fn(|row| std::array::from_fn(|column| self.0[column][row])))
    }
}

/// Rows as columns: in blocks of 2 × 2, of 4 × 4, and then the blocks.
///
/// # Safety
/// The processor has AVX-512 F.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn transposed_512(tile: &Tile) -> Tile {
    let mut rows = [_mm512_setzero_si512(); STRIP];
    for (to, row) in rows.iter_mut().zip(&tile.0) {
        // Safety: 64 bytes.
        *to = unsafe { _mm512_loadu_si512(row.as_ptr().cast()) };
    }
    let mut twos = rows;
    for i in (0..STRIP).step_by(2) {
        twos[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        twos[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    // In each quarter q of `fours[4 * i + c]`: column 4 q + c of rows 4 i to 4 i + 3.
    let mut fours = twos;
    for i in (0..STRIP).step_by(4) {
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
