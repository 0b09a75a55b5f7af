//! The product in float32 where a register holds a number of several columns:
//! weights are widened and turned, a panel at a time, so that rows of `x` meet
//! whole registers of columns, and nothing is added across lanes.
//!
//! Each number is one sum over `k` from the first product to the last, however
//! many rows there are.

use super::PANEL_COLUMNS;
use super::Rows;
use super::block::Block;
use super::outer::{self, Vector};
use super::x86::Load;
use crate::buffers::Buffer;
use crate::destination::Destination;
use std::arch::x86_64::*;

/// Rows whose sums stay near while a panel passes by.
const STRIP_ROWS: usize = 48;
/// Bytes of a panel that stay in the first-level cache while these rows do.
const K_BLOCK_BYTES: usize = 16 * 1024;
/// Rows and columns that are turned at a time.
const SQUARE: usize = 8;

/// Rows of a tile.
pub(super) const MAX_ROWS: usize = 6;
/// Registers of columns in a tile: sums fit 16 registers, or 32.
pub(super) const VECTORS_256: usize = 2;
pub(super) const VECTORS_512: usize = 4;
/// Columns of a tile, and so best those of a task.
pub(super) const WIDTH_256: usize = 8 * VECTORS_256;
pub(super) const WIDTH_512: usize = 16 * VECTORS_512;

/// In 256 bits.
///
/// # Safety
/// The processor has AVX2, FMA and F16C; nobody else uses these rows and columns
/// of the output, which is alive.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn in_256<W: Load>(of: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { block::<__m256, W, VECTORS_256, WIDTH_256>(of) }
}

/// In 512 bits.
///
/// # Safety
/// As [`in_256`], with AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn in_512<W: Load>(of: &Block<f32, W>) {
    // Safety: by the caller.
    unsafe { block::<__m512, W, VECTORS_512, WIDTH_512>(of) }
}

/// All rows against all columns of the block.
///
/// # Safety
/// As [`in_256`], with the instructions of `V`.
#[inline(always)]
unsafe fn block<V, W, const VECTORS: usize, const WIDTH: usize>(block: &Block<f32, W>)
where
    V: Vector<Number = f32>,
    W: Load,
{
    let (k, n) = (block.k, block.columns.len());
    let tiles = n.div_ceil(WIDTH);
    let weights = if block.finish.is_gated() { 2 } else { 1 };
    let len = weights * tiles * WIDTH * k;
    let mut buffer = Buffer::new(size_of::<f32>() * len);
    let panels: &mut [f32] = buffer.numbers_mut(len);
    for (index, panel) in panels.chunks_exact_mut((WIDTH * k).max(1)).enumerate() {
        // Safety: by the caller.
        unsafe { turn::<W, WIDTH>(block, index / tiles, index % tiles * WIDTH, panel) };
    }

    let mut sums = [0.0; 2 * STRIP_ROWS * PANEL_COLUMNS];
    let k_block = K_BLOCK_BYTES / (size_of::<f32>() * WIDTH);
    let mut first = block.rows.start;
    while first < block.rows.end {
        let rows = first..block.rows.end.min(first + STRIP_ROWS);
        for (panel, sums) in
            panels.chunks_exact((WIDTH * k).max(1)).zip(sums.chunks_exact_mut(STRIP_ROWS * WIDTH))
        {
            sums[..rows.len() * WIDTH].fill(0.0);
            let out = Destination::new(sums, WIDTH);
            for (index, v) in panel.chunks(WIDTH * k_block).enumerate() {
                let x = &block.x[first * k + index * k_block..];
                let shape = [rows.len(), v.len() / WIDTH, WIDTH];
                let (x, v) = (Rows { data: x, stride: k }, Rows { data: v, stride: WIDTH });
                // Safety: by the caller; the sums are this function's own.
                unsafe { outer::add::<V, VECTORS, MAX_ROWS>(shape, x, v, out) };
            }
        }
        for tile in 0..tiles {
            let columns = WIDTH.min(n - tile * WIDTH);
            let column = block.columns.start + tile * WIDTH;
            for row in rows.clone() {
                let of = |tile| &sums[(tile * STRIP_ROWS + row - first) * WIDTH..][..columns];
                let second = of(tile + (weights - 1) * tiles);
                // Safety: by the caller.
                unsafe { block.finish.row(row, column, of(tile), second) };
            }
        }
        first = rows.end;
    }
}

/// A panel `[k, WIDTH]` of the columns from `first` on of one of the weights.
///
/// # Safety
/// The processor has AVX2 and F16C.
#[inline(always)]
unsafe fn turn<W: Load, const WIDTH: usize>(
    block: &Block<f32, W>,
    which: usize,
    first: usize,
    panel: &mut [f32],
) {
    // A missing column repeats the last one; nobody reads its sum.
    let last = block.columns.end - 1;
    for column in (0..WIDTH).step_by(SQUARE) {
        // Safety: the columns are of the block.
        let from: [*const W; SQUARE] = std::array::from_fn(|c| unsafe {
            block.weight(which, last.min(block.columns.start + first + column + c))
        });
        let squares = block.k / SQUARE * SQUARE;
        let (whole, rest) = panel.split_at_mut(squares * WIDTH);
        for (index, rows) in whole.chunks_exact_mut(SQUARE * WIDTH).enumerate() {
            // Safety: by the caller; `k` numbers of each column can be read, and
            // `SQUARE` rows of `WIDTH` numbers written.
            unsafe {
                let mut columns = [_mm256_setzero_ps(); SQUARE];
                for (column, from) in columns.iter_mut().zip(from) {
                    let from = from.add(index * SQUARE);
                    *column = W::load_256(from);
                    // The columns that are next; only a hint, which reads nothing.
                    _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(SQUARE * block.k).cast());
                }
                let rows = rows.as_mut_ptr().add(column);
                for (index, numbers) in transposed(columns).into_iter().enumerate() {
                    _mm256_storeu_ps(rows.add(index * WIDTH), numbers);
                }
            }
        }
        for (at, row) in (squares..).zip(rest.chunks_exact_mut(WIDTH)) {
            for (to, from) in row[column..].iter_mut().zip(from) {
                // Safety: inside of the column.
                *to = unsafe { *from.add(at) }.wide();
            }
        }
    }
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn transposed(rows: [__m256; SQUARE]) -> [__m256; SQUARE] {
    // Safety: by the caller.
    unsafe {
        let [a, b, c, d, e, f, g, h] = rows;
        let pairs = [
            (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d)),
            (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d)),
            (_mm256_unpacklo_ps(e, f), _mm256_unpacklo_ps(g, h)),
            (_mm256_unpackhi_ps(e, f), _mm256_unpackhi_ps(g, h)),
        ];
        let [(p, q), (r, s), (t, u), (v, w)] = pairs;
        // Four numbers of one column in each half: of a to d, of e to h.
        let left = [
            _mm256_shuffle_ps(p, q, 0b01_00_01_00),
            _mm256_shuffle_ps(p, q, 0b11_10_11_10),
            _mm256_shuffle_ps(r, s, 0b01_00_01_00),
            _mm256_shuffle_ps(r, s, 0b11_10_11_10),
        ];
        let right = [
            _mm256_shuffle_ps(t, u, 0b01_00_01_00),
            _mm256_shuffle_ps(t, u, 0b11_10_11_10),
            _mm256_shuffle_ps(v, w, 0b01_00_01_00),
            _mm256_shuffle_ps(v, w, 0b11_10_11_10),
        ];
        [
            _mm256_permute2f128_ps(left[0], right[0], 0x20),
            _mm256_permute2f128_ps(left[1], right[1], 0x20),
            _mm256_permute2f128_ps(left[2], right[2], 0x20),
            _mm256_permute2f128_ps(left[3], right[3], 0x20),
            _mm256_permute2f128_ps(left[0], right[0], 0x31),
            _mm256_permute2f128_ps(left[1], right[1], 0x31),
            _mm256_permute2f128_ps(left[2], right[2], 0x31),
            _mm256_permute2f128_ps(left[3], right[3], 0x31),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        if !is_x86_feature_detected!("avx2") {
            eprintln!("skipped: this processor has no AVX2");
            return;
        }
        let rows: [[f32; SQUARE]; SQUARE] =
            std::array::from_fn(|r| std::array::from_fn(|c| (10 * r + c) as f32));
        // Safety: the processor has AVX2, and the types are of one size.
        let columns: [[f32; SQUARE]; SQUARE] = unsafe {
            let registers: [__m256; SQUARE] = std::mem::transmute(rows);
            std::mem::transmute(transposed(registers))
        };
        for (r, row) in rows.iter().enumerate() {
            for (c, x) in row.iter().enumerate() {
                assert_eq!(*x, columns[c][r]);
            }
        }
    }
}
