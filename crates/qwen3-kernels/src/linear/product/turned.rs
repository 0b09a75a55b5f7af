//! The product in float32 where a register holds a number of several rows of `x`,
//! which is turned once for all weights. A weight is read in place, number by
//! number, and nothing is added across lanes.
//!
//! ```text
//!              16 rows of x in each register, turned
//!             ┌───┬───┬───┬───┐
//!  6 rows of  │ a │ a │ a │ a │   a: a register of sums, of 16 numbers of one
//!  the weight │ a │ a │ a │ a │      column of `y`
//!             └───┴───┴───┴───┘
//! ```
//!
//! Each number is one sum over `k` from the first product to the last, however
//! many rows there are.

use super::block::{Block, PANEL_COLUMNS};
use super::outer::{self, Vector};
use super::x86::Load;
use super::{Part, Rows, Weight};
use crate::buffers::Buffer;
use crate::destination::Destination;
use crate::isa::Isa;
use rayon::prelude::*;
use std::arch::x86_64::*;

/// Numbers of a row that are multiplied before the next row: those of a tile's
/// weights stay in the first-level cache, those of `x` in the second-level one.
const K_BLOCK: usize = 256;
/// Rows and columns that are turned at a time.
const SQUARE: usize = 8;

/// Weight rows of a tile.
pub(super) const TILE: usize = 6;
/// Registers of rows in a tile: sums fit 16 registers, or 32.
pub(super) const VECTORS_256: usize = 2;
const VECTORS_512: usize = 4;
/// Rows of `x` in a tile: they pass by at a time.
const WIDTH_256: usize = 8 * VECTORS_256;
const WIDTH_512: usize = 16 * VECTORS_512;

/// Whether this path is the fastest: with AVX2's 16 registers always, with 32 of
/// them where the weights are float32 too.
pub(super) fn is_best(isa: Isa, parts: &[Part]) -> bool {
    let in_f32 = || parts.iter().all(|part| matches!(part.weight, Weight::F32(_)));
    match isa {
        Isa::Avx2 => true,
        Isa::Avx512 | Isa::Avx512Bf16 | Isa::AmxBf16 => in_f32(),
        _ => false,
    }
}

/// Rows of `x` that pass by at a time.
pub(super) fn width(isa: Isa) -> usize {
    if isa == Isa::Avx2 { WIDTH_256 } else { WIDTH_512 }
}

/// `x`, `[m, k]`, turned: for [`width`] rows at a time `[k, width]`, at the end
/// for as many as there are, up to whole registers.
pub(super) struct Turned {
    numbers: Buffer,
    len: usize,
}

impl Turned {
    /// Turns in parallel, for the registers of `isa`.
    ///
    /// # Safety
    /// The processor has AVX2.
    ///
    /// # Panics
    /// If `x` is not of its shape.
    pub unsafe fn new(isa: Isa, [m, k]: [usize; 2], x: &[f32]) -> Self {
        assert!(m * k == x.len(), "x is not [{m}, {k}]");
        let lanes =
            if isa == Isa::Avx2 { <__m256 as Vector>::LANES } else { <__m512 as Vector>::LANES };
        let len = m.next_multiple_of(lanes) * k;
        let mut turned = Self { numbers: Buffer::new(len * size_of::<f32>()), len };
        let panels = turned.numbers.numbers_mut::<f32>(len).par_chunks_mut((width(isa) * k).max(1));
        panels.zip(x.par_chunks((width(isa) * k).max(1))).for_each(|(panel, x)| {
            let (rows, width) = (x.len() / k, panel.len() / k);
            if rows < width {
                panel.fill(0.0);
            }
            // Safety: by the caller.
            unsafe { turn_256(Rows { data: x, stride: k }, [rows, k], panel, width) };
        });
        turned
    }

    pub fn numbers(&self) -> &[f32] {
        self.numbers.numbers(self.len)
    }
}

/// [`turn`] with its instructions.
///
/// # Safety
/// As [`turn`].
///
/// # Panics
/// As [`turn`].
#[target_feature(enable = "avx2")]
unsafe fn turn_256(from: Rows<f32>, shape: [usize; 2], to: &mut [f32], stride: usize) {
    // Safety: by the caller.
    unsafe { turn(from, shape, to, stride) };
}

/// In 256 bits, from [`Turned`] rows in registers of as many.
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

/// All rows against all columns of the block. Its rows begin where a panel of the
/// turned ones does, and end where one does or all rows do.
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
    let weights = if block.finish.is_gated() { 2 } else { 1 };
    let in_place = [0, 1].map(|which| block.weight_rows(which));
    let (len, mut buffer);
    let wide = match in_place.map(W::in_place) {
        [Some(first), Some(second)] => [first, second],
        _ => {
            len = weights * n * k;
            buffer = Buffer::new(len * size_of::<f32>());
            let wide: &mut [f32] = buffer.numbers_mut(len);
            for (from, to) in in_place.iter().zip(wide.chunks_exact_mut((n * k).max(1))) {
                // Safety: by the caller.
                unsafe { widen(from, to) };
            }
            [&wide[..n * k], &wide[(weights - 1) * n * k..]]
        }
    };

    let mut sums = [[[0.0; WIDTH]; PANEL_COLUMNS]; 2];
    for first in block.rows.clone().step_by(WIDTH) {
        let end = block.rows.end.min(first + WIDTH);
        let width = (end - first).next_multiple_of(V::LANES);
        let x = &block.x[first * k..][..width * k];
        for (sums, weight) in sums.iter_mut().zip(wide).take(weights) {
            let sums = &mut sums.as_flattened_mut()[..n * width];
            sums.fill(0.0);
            let out = Destination::new(sums, width);
            for at in (0..k).step_by(K_BLOCK) {
                let shape = [n, K_BLOCK.min(k - at), width];
                let weight = Rows { data: &weight[at..], stride: k };
                let x = Rows { data: &x[at * width..], stride: width };
                // Safety: by the caller; the sums are this function's own.
                unsafe { outer::add::<V, VECTORS, TILE>(shape, weight, x, out) };
            }
        }
        for start in (first..end).step_by(SQUARE) {
            let mut rows = [[0.0; SQUARE * PANEL_COLUMNS]; 2];
            for (sums, rows) in sums.iter().zip(&mut rows).take(weights) {
                let columns = Rows { data: &sums.as_flattened()[start - first..], stride: width };
                // Safety: by the caller.
                unsafe { turn(columns, [n, SQUARE], rows, PANEL_COLUMNS) };
            }
            for row in start..end.min(start + SQUARE) {
                let [sums, second] = rows.each_ref().map(|rows| {
                    let rows: &[f32] = rows;
                    &rows[(row - start) * PANEL_COLUMNS..][..n]
                });
                // Safety: by the caller.
                unsafe { block.finish.row(row, block.columns.start, sums, second) };
            }
        }
    }
}

/// Numbers as float32.
///
/// # Safety
/// The processor has AVX2 and F16C.
#[inline(always)]
unsafe fn widen<W: Load>(from: &[W], to: &mut [f32]) {
    const LANES: usize = 8;
    let (from, from_rest) = from.as_chunks::<LANES>();
    let (to, to_rest) = to.as_chunks_mut::<LANES>();
    for (from, to) in from.iter().zip(to) {
        // Safety: as many numbers in both; by the caller.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), W::load_256(from.as_ptr())) };
    }
    for (from, to) in from_rest.iter().zip(to_rest) {
        *to = from.wide();
    }
}

/// Rows of `from` as columns of `to`, whose rows begin `stride` numbers apart.
/// Up to a whole [`SQUARE`] of missing rows are zeros.
///
/// # Safety
/// The processor has AVX2.
///
/// # Panics
/// If a slice is smaller.
#[inline(always)]
unsafe fn turn(from: Rows<f32>, [rows, columns]: [usize; 2], to: &mut [f32], stride: usize) {
    let padded = rows.next_multiple_of(SQUARE);
    let to_holds = columns == 0 || (columns - 1) * stride + padded <= to.len();
    assert!(from.holds(rows, columns) && to_holds, "[{rows}, {columns}]");
    let whole = columns / SQUARE * SQUARE;
    for first in (0..padded).step_by(SQUARE) {
        for column in (0..whole).step_by(SQUARE) {
            // Safety: by the caller; inside of both by the assertion.
            unsafe {
                let mut square = [_mm256_setzero_ps(); SQUARE];
                for (square, row) in square.iter_mut().zip(first..rows) {
                    *square = _mm256_loadu_ps(from.data.as_ptr().add(row * from.stride + column));
                }
                for (to_row, numbers) in (column..).zip(transposed(square)) {
                    _mm256_storeu_ps(to.as_mut_ptr().add(to_row * stride + first), numbers);
                }
            }
        }
        for column in whole..columns {
            let to = &mut to[column * stride + first..][..SQUARE];
            to.fill(0.0);
            for (to, row) in to.iter_mut().zip(first..rows) {
                *to = from.data[row * from.stride + column];
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
