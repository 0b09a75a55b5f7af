//! The product in float32 as outer products: a register holds a number of several
//! rows of `x`, which is packed once for all weights. A weight is read in place,
//! number by number, and nothing is added across lanes.
//!
//! ```text
//!              16 rows of packed x in each register
//!             ┌───┬───┬───┬───┐
//!  6 rows of  │ a │ a │ a │ a │   a: a register of sums, of 16 numbers of one
//!  the weight │ a │ a │ a │ a │      column of `y`
//!             └───┴───┴───┴───┘
//! ```
//!
//! Each number is one sum over `k` from the first product to the last, however
//! many rows there are.

use super::accumulate::{Sum, accumulate};
use super::block::Block;
use super::microkernel::OuterRegister;
use super::tasks::PANEL_COLUMNS;
use super::transpose::{SQUARE, transpose};
use super::widen::Widen;
use crate::cpu::buffers::Buffer;
use crate::cpu::destination::Destination;
use crate::cpu::matrix::Matrix;
use std::arch::x86_64::_mm256_storeu_ps;
use std::ops::Range;

/// Numbers of a row that are multiplied before the next row: those of a tile's
/// weights stay in the first-level cache, those of `x` in the second-level one.
const K_BLOCK: usize = 256;

/// All rows against all columns of the block. Its rows begin where a panel of the
/// packed ones does, and end where one does or all rows do. A panel has `PANEL`
/// rows: `VECTORS` registers.
///
/// # Safety
/// The processor has AVX2, F16C and the instructions of `R`; nobody else uses these
/// rows and columns of the output, which is alive.
#[inline(always)]
pub(super) unsafe fn block<R, W, const VECTORS: usize, const PANEL: usize>(block: &Block<f32, W>)
where
    R: OuterRegister<Element = f32>,
    W: Widen,
{
    let (k, n) = (block.k, block.columns.len());
    // No closure of an iterator: it would be compiled without the instructions.
    let mut weights = Vec::with_capacity(2);
    for weight in block.weights() {
        // Safety: by the caller.
        weights.push(unsafe { Widened::new(weight) });
    }
    let mut sums = [[[0.0; PANEL]; PANEL_COLUMNS]; 2];
    for first in block.rows.clone().step_by(PANEL) {
        let rows = first..block.rows.end.min(first + PANEL);
        let stride = rows.len().next_multiple_of(R::LANES);
        let x = Matrix { data: &block.x[first * k..][..stride * k], stride };
        for (which, weight) in weights.iter().enumerate() {
            let weight = Matrix { data: weight.as_slice(), stride: k };
            let sums = &mut sums[which].as_flattened_mut()[..n * stride];
            // Safety: by the caller.
            unsafe { multiply::<R, VECTORS>([n, k], weight, x, sums) };
        }
        // Safety: by the caller.
        unsafe { finish(block, rows, sums.each_ref().map(|sums| sums.as_flattened()), stride) };
    }
}

/// `sums = weight · x`, `[n, x.stride]`.
///
/// # Safety
/// The processor has the instructions of `R`.
#[inline(always)]
unsafe fn multiply<R: OuterRegister<Element = f32>, const VECTORS: usize>(
    [n, k]: [usize; 2],
    weight: Matrix<f32>,
    x: Matrix<f32>,
    sums: &mut [f32],
) {
    sums.fill(0.0);
    let c = Destination::new(sums, x.stride);
    for at in (0..k).step_by(K_BLOCK) {
        let shape = [n, K_BLOCK.min(k - at), x.stride];
        let a = Matrix { data: &weight.data[at..], ..weight };
        let b = Matrix { data: &x.data[at * x.stride..], ..x };
        // Safety: by the caller; the sums are ours alone.
        unsafe { accumulate::<R, VECTORS>(Sum { shape, a, b, c }) };
    }
}

/// Gives the epilogue the sums of a panel, which are transposed: `[n, stride]` of each
/// weight.
///
/// # Safety
/// As [`block`].
#[inline(always)]
unsafe fn finish<W>(block: &Block<f32, W>, panel: Range<usize>, sums: [&[f32]; 2], stride: usize) {
    let n = block.columns.len();
    for start in panel.clone().step_by(SQUARE) {
        let mut rows = [[0.0; SQUARE * PANEL_COLUMNS]; 2];
        for (sums, rows) in sums.into_iter().zip(&mut rows).take(block.weights().len()) {
            let columns = Matrix { data: &sums[start - panel.start..], stride };
            // Safety: by the caller.
            unsafe { transpose(columns, [n, SQUARE], rows, PANEL_COLUMNS) };
        }
        for row in start..panel.end.min(start + SQUARE) {
            let at = (row - start) * PANEL_COLUMNS;
            let [sums, up] = rows.each_ref().map(|rows| &rows[at..at + n]);
            // Safety: by the caller.
            unsafe { block.epilogue.row(row, block.columns.start, sums, up) };
        }
    }
}

/// Weight rows in float32: as they are, or a copy.
enum Widened<'a> {
    InPlace(&'a [f32]),
    Copy(Buffer, usize),
}

impl<'a> Widened<'a> {
    /// # Safety
    /// The processor has AVX2 and F16C.
    #[inline(always)]
    unsafe fn new<W: Widen>(rows: &'a [W]) -> Self {
        if let Some(rows) = W::in_place(rows) {
            return Self::InPlace(rows);
        }
        let mut buffer = Buffer::new(rows.len() * size_of::<f32>());
        // Safety: by the caller.
        unsafe { widen(rows, buffer.as_mut_slice(rows.len())) };
        Self::Copy(buffer, rows.len())
    }

    fn as_slice(&self) -> &[f32] {
        match self {
            Self::InPlace(rows) => rows,
            Self::Copy(buffer, len) => buffer.as_slice(*len),
        }
    }
}

/// # Safety
/// The processor has AVX2 and F16C.
#[inline(always)]
unsafe fn widen<W: Widen>(from: &[W], to: &mut [f32]) {
    const LANES: usize = 8;
    let (from, from_rest) = from.as_chunks::<LANES>();
    let (to, to_rest) = to.as_chunks_mut::<LANES>();
    for (from, to) in from.iter().zip(to) {
        // Safety: as many numbers in both; by the caller.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), W::load_256(from.as_ptr())) };
    }
    for (from, to) in from_rest.iter().zip(to_rest) {
        *to = from.widened();
    }
}
