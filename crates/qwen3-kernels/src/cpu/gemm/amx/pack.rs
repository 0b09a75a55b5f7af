//! The left side of a product, rounded, in the order in which tiles take it.

use crate::cpu::amx::{SIDE, STEP, Tile, transposed_512};
use crate::cpu::buffers::Buffer;
use crate::cpu::gemm::bf16::nearest_bf16;
use crate::cpu::gemm::output::Input;
use burn::tensor::bf16;
use rayon::prelude::*;

/// Rows of `x` of two tiles.
pub(super) const TOKENS: usize = 2 * SIDE;

/// `[m, k]` in bfloat16: for 32 rows at a time, for 32 columns at a time, two
/// tiles of 16 of these rows, transposed pair by pair.
pub(super) struct PackedX {
    shape: [usize; 2],
    tiles: Buffer,
}

impl PackedX {
    /// Rounds and packs, in parallel.
    ///
    /// # Panics
    /// If `x` is smaller.
    pub fn new(shape: [usize; 2], x: Input) -> Self {
        match x {
            Input::F32(x) => Self::rounded(shape, x, nearest_bf16),
            Input::Bf16(x) => Self::rounded(shape, x, |x| x),
        }
    }

    fn rounded<T: Copy + Sync>(
        [m, k]: [usize; 2],
        x: &[T],
        round: impl Fn(T) -> bf16 + Copy + Sync,
    ) -> Self {
        assert!(x.len() >= m * k, "{} numbers for [{m}, {k}]", x.len());
        let tiles = m.div_ceil(TOKENS) * steps(k);
        let mut packed = Self { shape: [m, k], tiles: Buffer::new(tiles * size_of::<[Tile; 2]>()) };
        let blocks = packed.tiles.as_mut_slice::<[Tile; 2]>(tiles).par_chunks_mut(steps(k));
        blocks.enumerate().for_each(|(block, tiles)| {
            for half in 0..2 {
                let start = m.min(block * TOKENS + half * SIDE);
                let x = &x[start * k..m.min(start + SIDE) * k];
                for (step, tiles) in tiles.iter_mut().enumerate() {
                    pack_tile([k, step], x, round, &mut tiles[half]);
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
        let tiles = self.tiles.as_slice(m.div_ceil(TOKENS) * steps(k));
        &tiles[block * steps(k)..][..steps(k)]
    }
}

/// Steps over `k`, one at least.
pub(super) fn steps(k: usize) -> usize {
    k.div_ceil(STEP).max(1)
}

/// Numbers of one step of up to 16 rows, zeros for the missing.
fn pack_tile<T: Copy>(
    [k, step]: [usize; 2],
    x: &[T],
    round: impl Fn(T) -> bf16,
    packed: &mut Tile,
) {
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
        // Safety: the processor has the instructions.
        unsafe { pack_tile_512([k, step], x, round, packed) }
    } else {
        *packed = pairs(k, step, x, round).transposed();
    }
}

/// [`pack_tile`] as the compiler makes it of the same code.
///
/// # Safety
/// The processor has AVX-512 F and BW.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn pack_tile_512<T: Copy>(
    [k, step]: [usize; 2],
    x: &[T],
    round: impl Fn(T) -> bf16,
    packed: &mut Tile,
) {
    // Safety: by the caller.
    *packed = unsafe { transposed_512(&pairs(k, step, x, round)) };
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
