//! Sides of a product, rounded, in the orders in which tiles take them.

use crate::cpu::amx::{SIDE, STEP, Strip, Tile, transposed_512};
use crate::cpu::buffers::Buffer;
use crate::cpu::gemm::bf16::pair;
use crate::cpu::gemm::output::Input;
use burn::tensor::bf16;
use rayon::prelude::*;

/// Rows of two tiles.
pub(super) const TOKENS: usize = 2 * SIDE;

/// Rows of `x` from which on it is the left side, and the weight is packed.
const LEFT_FROM: usize = 3 * TOKENS;

/// The side of tiles that some rows are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Rows as they are: 16 of them, step after step.
    Left,
    /// Rows as columns, transposed pair by pair: two tiles for each step.
    Right,
}

/// `x`, `[m, k]`, in bfloat16, 32 rows after another.
pub(super) struct PackedX {
    shape: [usize; 2],
    side: Side,
    tiles: Buffer,
}

impl PackedX {
    /// Rounds and packs, in parallel.
    ///
    /// # Panics
    /// If `x` is smaller.
    pub fn new(shape: [usize; 2], x: Input) -> Self {
        match x {
            Input::F32(x) => Self::packed(shape, x),
            Input::Bf16(x) => Self::packed(shape, x),
        }
    }

    fn packed<T: Number>([m, k]: [usize; 2], x: &[T]) -> Self {
        assert!(x.len() >= m * k, "{} numbers for [{m}, {k}]", x.len());
        let side = if m < LEFT_FROM { Side::Right } else { Side::Left };
        let n = m.div_ceil(TOKENS) * block_tiles(k);
        let mut tiles = Buffer::new(n * size_of::<Tile>());
        let blocks = tiles.as_mut_slice::<Tile>(n).par_chunks_mut(block_tiles(k));
        blocks.enumerate().for_each(|(block, tiles)| {
            let rows = [0, SIDE].map(|half| {
                let start = m.min(block * TOKENS + half);
                &x[start * k..m.min(start + SIDE) * k]
            });
            pack(side, k, rows, tiles);
        });
        Self { shape: [m, k], side, tiles }
    }

    /// For which side it is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// 32 rows, packed for the right side.
    ///
    /// # Panics
    /// If there are no such rows, they have not `k` columns, or are for the left side.
    pub fn right(&self, k: usize, block: usize) -> &[[Tile; 2]] {
        assert!(self.side == Side::Right, "rows for the left side");
        bytemuck::cast_slice(self.block(k, block))
    }

    /// 32 rows, packed for the left side.
    ///
    /// # Panics
    /// If there are no such rows, they have not `k` columns, or are for the right side.
    pub fn left(&self, k: usize, block: usize) -> [Strip<'_>; 2] {
        assert!(self.side == Side::Left, "rows for the right side");
        let (first, second) = self.block(k, block).split_at(steps(k));
        [first, second].map(Strip::packed)
    }

    fn block(&self, k: usize, block: usize) -> &[Tile] {
        let [m, columns] = self.shape;
        assert_eq!(k, columns, "columns of `x`");
        let tiles = self.tiles.as_slice(m.div_ceil(TOKENS) * block_tiles(k));
        &tiles[block * block_tiles(k)..][..block_tiles(k)]
    }
}

/// Steps over `k`, one at least.
pub(super) fn steps(k: usize) -> usize {
    k.div_ceil(STEP).max(1)
}

/// Tiles of two times 16 rows.
pub(super) fn block_tiles(k: usize) -> usize {
    2 * steps(k)
}

/// What becomes a pair of bfloat16 numbers.
pub(super) trait Number: Copy + Default + Sync {
    /// The nearest, the first one of each two in the lower half.
    fn pairs(numbers: &[Self; STEP]) -> [u32; SIDE];
}

impl Number for f32 {
    #[inline(always)]
    fn pairs(numbers: &[Self; STEP]) -> [u32; SIDE] {
        let mut pairs = [0; SIDE];
        for (to, &[low, high]) in pairs.iter_mut().zip(numbers.as_chunks().0) {
            *to = pair(low, high);
        }
        pairs
    }
}

impl Number for bf16 {
    #[inline(always)]
    fn pairs(numbers: &[Self; STEP]) -> [u32; SIDE] {
        bytemuck::cast(*numbers)
    }
}

/// Two times up to 16 rows of `k` numbers, with zeros for the missing.
///
/// # Panics
/// If there are not as many tiles.
pub(super) fn pack<T: Number>(side: Side, k: usize, rows: [&[T]; 2], tiles: &mut [Tile]) {
    let steps = steps(k);
    assert_eq!(tiles.len(), 2 * steps, "tiles of {k} columns");
    for (half, rows) in rows.into_iter().enumerate() {
        for step in 0..steps {
            let at = match side {
                Side::Left => half * steps + step,
                Side::Right => 2 * step + half,
            };
            pack_tile([k, step], rows, side, &mut tiles[at]);
        }
    }
}

/// Numbers of one step of up to 16 rows.
fn pack_tile<T: Number>([k, step]: [usize; 2], rows: &[T], side: Side, tile: &mut Tile) {
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
        // Safety: the processor has the instructions.
        unsafe { pack_tile_512([k, step], rows, side, tile) }
    } else {
        write_pairs([k, step], rows, tile);
        if side == Side::Right {
            *tile = tile.transposed();
        }
    }
}

/// [`pack_tile`] as the compiler makes it of the same code.
///
/// # Safety
/// The processor has AVX-512 F and BW.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn pack_tile_512<T: Number>([k, step]: [usize; 2], rows: &[T], side: Side, tile: &mut Tile) {
    write_pairs([k, step], rows, tile);
    if side == Side::Right {
        // Safety: by the caller.
        *tile = unsafe { transposed_512(tile) };
    }
}

/// Numbers of one step, a row in a row, with zeros for the missing.
#[inline(always)]
fn write_pairs<T: Number>([k, step]: [usize; 2], rows: &[T], tile: &mut Tile) {
    let columns = step * STEP..k.min((step + 1) * STEP);
    let mut rows = rows.chunks_exact(k.max(1));
    for to in &mut tile.0 {
        let Some(row) = rows.next() else {
            *to = [0; SIDE];
            continue;
        };
        let numbers = &row[columns.clone()];
        *to = match numbers.first_chunk() {
            Some(numbers) => T::pairs(numbers),
            None => {
                let mut padded = [T::default(); STEP];
                padded[..numbers.len()].copy_from_slice(numbers);
                T::pairs(&padded)
            }
        };
    }
}
