//! `y = x · weightᵀ` on the CPU from weights as the checkpoint stores them:
//! `[out, in]`, row after row, in float32, float16 or bfloat16.
//!
//! Every number of `y` is one dot product of a row of `x` and a row of the
//! weight, summed in one fixed order whatever else is computed beside it. So a
//! text's vector doesn't depend on its batch, to the last bit, and nothing has
//! to be packed: a mapped file is computed from in place.
//!
//! ```text
//!            4 rows of the weight
//!           ┌───┬───┬───┬───┐
//!  M rows   │ a │ a │ a │ a │   a: a register of partial sums over the columns
//!  of x     │ a │ a │ a │ a │      k, k + LANES, k + 2·LANES, …
//!           └───┴───┴───┴───┘
//! ```
//!
//! A task is a panel of weight rows that stays in the second-level cache while
//! all rows of `x` pass by; a tile of `x` stays in the first-level cache. The
//! numbers of a few rows gather in a [`Strip`] there. What becomes of them is
//! their [`Part`]'s affair: they are stored, added to what is there, or gate
//! each other.

mod finish;
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod outer;
mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::buffers::Buffer;
use crate::destination::Destination;
use crate::isa::Isa;
use burn::tensor::{bf16, f16};
use finish::Finish;
pub(crate) use finish::Numbers;
use lanes::Lanes;
#[cfg(target_arch = "aarch64")]
use neon::Load as Number;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use portable::Wide as Number;
use rayon::prelude::*;
use std::ops::Range;
#[cfg(target_arch = "x86_64")]
use x86::Load as Number;

/// Bytes of the weight rows of one task: they stay in a second-level cache of
/// 1 MiB beside what passes by.
const PANEL_BYTES: usize = 384 * 1024;
/// Weight rows of one tile.
pub(crate) const TILE_COLUMNS: usize = 4;
/// Bytes of a row of `x` that are multiplied before the next: a tile of them
/// stays in a first-level cache of 32 KiB.
const K_BLOCK_BYTES: usize = 2 * 1024;
/// Rows of a product that is bound by reading the weights: each weight row
/// meets all of them while it is in the first-level cache.
const FEW_ROWS: usize = 24;
/// Columns of a task, at most.
const PANEL_COLUMNS: usize = 128;

/// Rows of numbers inside of a slice.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    pub data: &'a [T],
    /// Numbers from the start of a row to that of the next one.
    pub stride: usize,
}

impl<T> Rows<'_, T> {
    /// Whether there are so many rows and columns.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || (rows - 1) * self.stride + columns <= self.data.len()
    }
}

/// `out = x · wᵀ` in float32 on this thread; `x` is `[m, k]`, `w` `[n, k]`.
///
/// # Safety
/// `out` outlives the call, and nobody else uses its `m` rows of `n` columns.
///
/// # Panics
/// If the slices are smaller.
pub(crate) unsafe fn scores(
    isa: Isa,
    [m, k, n]: [usize; 3],
    x: Rows<f32>,
    w: Rows<f32>,
    out: Destination,
) {
    let finish = Finish::to(out);
    for first in (0..n).step_by(PANEL_COLUMNS) {
        let columns = first..n.min(first + PANEL_COLUMNS);
        // Safety: the processor has the instructions (`Isa`), and by the caller.
        unsafe { kernel(isa)(&Block::strided(k, x, [w, w], 0..m, columns, &finish)) }
    }
}

/// `out += p · v` in float32 on this thread; `p` is `[m, k]`, `v` `[k, n]`.
///
/// # Safety
/// As [`scores`].
///
/// # Panics
/// If the slices are smaller.
pub(crate) unsafe fn add_weighted_rows(
    isa: Isa,
    shape: [usize; 3],
    p: Rows<f32>,
    v: Rows<f32>,
    out: Destination,
) {
    // Safety: as in `scores`.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 | Isa::Avx512 | Isa::Avx2 => {
                x86::add_weighted_rows(isa != Isa::Avx2, shape, p, v, out);
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon | Isa::NeonBf16 => neon::add_weighted_rows(shape, p, v, out),
            _ => portable::add_weighted_rows(shape, p, v, out),
        }
    }
}

/// The numbers of a weight, `[n, k]`.
#[derive(Clone, Copy)]
pub(crate) enum Weight<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
    F16(&'a [f16]),
}

impl Weight<'_> {
    fn len(&self) -> usize {
        match self {
            Self::F32(numbers) => numbers.len(),
            Self::Bf16(numbers) => numbers.len(),
            Self::F16(numbers) => numbers.len(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::F32(numbers) => size_of_val(*numbers),
            Self::Bf16(numbers) => size_of_val(*numbers),
            Self::F16(numbers) => size_of_val(*numbers),
        }
    }

    /// Whether the path's products round their inputs to bfloat16.
    pub fn rounds_inputs(&self, isa: Isa) -> bool {
        isa.has_bf16_products() && matches!(self, Self::Bf16(_))
    }
}

/// The left side of a product, `[m, k]`.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    F32(&'a [f32]),
    /// Where the weight's products round their inputs; anything else panics.
    Bf16(&'a [bf16]),
}

impl Input<'_> {
    fn len(&self) -> usize {
        match self {
            Self::F32(numbers) => numbers.len(),
            Self::Bf16(numbers) => numbers.len(),
        }
    }
}

/// One of several products of the same `x`.
pub(crate) struct Part<'a> {
    weight: Weight<'a>,
    /// The second weight of a gated product.
    up: Weight<'a>,
    n: usize,
    finish: Finish<'a>,
}

impl<'a> Part<'a> {
    /// `out = x · weightᵀ`, `[m, n]`
    pub fn store(weight: Weight<'a>, n: usize, out: &'a mut [f32]) -> Self {
        Self { weight, up: weight, n, finish: Finish::store(out, n) }
    }

    /// `out += x · weightᵀ`, `[m, n]`
    pub fn add(weight: Weight<'a>, n: usize, out: &'a mut [f32]) -> Self {
        Self { weight, up: weight, n, finish: Finish::add(out, n) }
    }

    /// `out = silu(x · gateᵀ) · (x · upᵀ)`, `[m, n]`
    pub fn swiglu(gate: Weight<'a>, up: Weight<'a>, n: usize, out: Numbers<'a>) -> Self {
        Self { weight: gate, up, n, finish: Finish::swiglu(out, n) }
    }

    /// Weights that stand behind each column.
    fn weights(&self) -> usize {
        if self.finish.is_gated() { 2 } else { 1 }
    }
}

/// The products of `x`, `[m, k]`, with each part's weight.
///
/// # Panics
/// If a slice is not of its shape.
pub(crate) fn products(isa: Isa, [m, k]: [usize; 2], x: Input, parts: &[Part]) {
    assert!(m * k == x.len(), "x is not [{m}, {k}]");
    for Part { weight, up, n, finish } in parts {
        let right = n * k == weight.len() && n * k == up.len() && m * n == finish.len();
        assert!(right, "[{m}, {k}, {n}]");
    }
    let rounds = parts.iter().any(|part| part.weight.rounds_inputs(isa));
    match x {
        Input::F32(x) if rounds => {
            let mut buffer = Buffer::new(size_of_val(x));
            round(x, buffer.numbers_mut(x.len()));
            run(isa, [m, k], Input::Bf16(buffer.numbers(x.len())), parts);
        }
        _ => run(isa, [m, k], x, parts),
    }
}

/// Rows and columns of one part.
struct Task<'p, 'a> {
    part: &'p Part<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// Runs all parts in parallel, block by block.
fn run(isa: Isa, [m, k]: [usize; 2], x: Input, parts: &[Part]) {
    let threads = rayon::current_num_threads();
    let tasks: Vec<Task> = parts.iter().flat_map(|part| tasks(part, m, threads)).collect();
    tasks.into_par_iter().for_each(|Task { part, rows, columns }| {
        // Safety: the processor has the instructions (`Isa`), no two tasks share
        // a row and a column, and a part's output lives as long as the part.
        unsafe {
            match (part.weight, part.up, x) {
                #[cfg(target_arch = "x86_64")]
                (Weight::Bf16(w), Weight::Bf16(up), Input::Bf16(x)) if isa == Isa::Avx512Bf16 => {
                    x86::avx512_bf16(&Block::new(k, x, [w, up], rows, columns, &part.finish));
                }
                #[cfg(target_arch = "aarch64")]
                (Weight::Bf16(w), Weight::Bf16(up), Input::Bf16(x)) if isa == Isa::NeonBf16 => {
                    neon::bf16_products(&Block::new(k, x, [w, up], rows, columns, &part.finish));
                }
                (Weight::F32(w), Weight::F32(up), Input::F32(x)) => {
                    kernel(isa)(&Block::new(k, x, [w, up], rows, columns, &part.finish));
                }
                (Weight::Bf16(w), Weight::Bf16(up), Input::F32(x)) => {
                    kernel(isa)(&Block::new(k, x, [w, up], rows, columns, &part.finish));
                }
                (Weight::F16(w), Weight::F16(up), Input::F32(x)) => {
                    kernel(isa)(&Block::new(k, x, [w, up], rows, columns, &part.finish));
                }
                _ => panic!("weights of different dtypes in one product"),
            }
        }
    });
}

/// The blocks of one part.
fn tasks<'p, 'a>(
    part: &'p Part<'a>,
    m: usize,
    threads: usize,
) -> impl Iterator<Item = Task<'p, 'a>> + use<'p, 'a> {
    let n = part.n;
    let column_bytes = part.weights() * part.weight.bytes() / n.max(1);
    let in_cache = (PANEL_BYTES / column_bytes.max(1)).max(TILE_COLUMNS);
    // As many panels for each thread, so that none waits for another.
    let panels = n.div_ceil(in_cache).next_multiple_of(threads).max(1);
    let columns = n.div_ceil(panels).next_multiple_of(TILE_COLUMNS).clamp(1, PANEL_COLUMNS);
    let panels = n.div_ceil(columns);
    // Where there are more threads than panels, rows are split too.
    let rows = m.div_ceil(threads.div_ceil(panels.max(1))).max(1);
    (0..panels).flat_map(move |panel| {
        (0..m).step_by(rows).map(move |row| Task {
            part,
            rows: row..m.min(row + rows),
            columns: panel * columns..n.min((panel + 1) * columns),
        })
    })
}

/// Computes one block; its safety is that of [`block`].
type Kernel<X, W> = unsafe fn(&Block<X, W>);

/// The kernel with float32 products.
fn kernel<W: Number>(isa: Isa) -> Kernel<f32, W> {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Bf16 | Isa::Avx512 => x86::in_512::<W>,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => x86::in_256::<W>,
        #[cfg(target_arch = "aarch64")]
        Isa::Neon | Isa::NeonBf16 => neon::in_128::<W>,
        _ => portable::block::<W>,
    }
}

/// `x` rounded to bfloat16, to the nearest, ties to even, in parallel.
fn round(x: &[f32], rounded: &mut [bf16]) {
    const TASK: usize = 32 * 1024;
    rounded.par_chunks_mut(TASK).zip(x.par_chunks(TASK)).for_each(|(rounded, x)| {
        for (rounded, &x) in rounded.iter_mut().zip(x) {
            *rounded = nearest_bf16(x);
        }
    });
}

/// To the nearest bfloat16, ties to even.
#[inline(always)]
fn nearest_bf16(x: f32) -> bf16 {
    let bits = x.to_bits();
    // Wraps for some NaN, and could carry others over into infinity.
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    bf16::from_bits(if x.is_nan() { 0x7fc0 } else { nearest as u16 })
}

/// What one task computes.
struct Block<'a, X, W> {
    k: usize,
    x: Rows<'a, X>,
    /// The weight, and the second one of a gated product.
    weights: [Rows<'a, W>; 2],
    rows: Range<usize>,
    columns: Range<usize>,
    finish: &'a Finish<'a>,
}

impl<'a, X, W> Block<'a, X, W> {
    fn new(
        k: usize,
        x: &'a [X],
        weights: [&'a [W]; 2],
        rows: Range<usize>,
        columns: Range<usize>,
        finish: &'a Finish<'a>,
    ) -> Self {
        let weights = weights.map(|data| Rows { data, stride: k });
        Self::strided(k, Rows { data: x, stride: k }, weights, rows, columns, finish)
    }

    fn strided(
        k: usize,
        x: Rows<'a, X>,
        weights: [Rows<'a, W>; 2],
        rows: Range<usize>,
        columns: Range<usize>,
        finish: &'a Finish<'a>,
    ) -> Self {
        let holds = weights.iter().all(|weight| weight.holds(columns.end, k));
        assert!(x.holds(rows.end, k) && holds, "{rows:?} {columns:?}");
        assert!(columns.len() <= PANEL_COLUMNS, "{columns:?}");
        Self { k, x, weights, rows, columns, finish }
    }

    /// Where row `row` of `x` begins.
    ///
    /// # Safety
    /// It is one of [`Block::rows`].
    #[inline(always)]
    unsafe fn x(&self, row: usize) -> *const X {
        // Safety: inside of the slice, by `Block::strided`.
        unsafe { self.x.data.as_ptr().add(row * self.x.stride) }
    }

    /// Where a row of one of the weights begins.
    ///
    /// # Safety
    /// It is one of [`Block::columns`].
    #[inline(always)]
    unsafe fn weight(&self, which: usize, column: usize) -> *const W {
        let Rows { data, stride } = self.weights[which];
        // Safety: inside of the slice, by `Block::strided`.
        unsafe { data.as_ptr().add(column * stride) }
    }
}

/// Sums of a few rows of `x` and the columns of a block, for one weight or two.
struct Strip {
    sums: [[[f32; PANEL_COLUMNS]; FEW_ROWS]; 2],
}

/// A few rows of `x` against all columns, then the next rows.
///
/// # Safety
/// The processor has the instructions of `L`; nobody else uses these rows and
/// columns of the output, which is alive.
#[inline(always)]
unsafe fn block<L: Lanes<MAX_ROWS>, const MAX_ROWS: usize>(block: &Block<L::X, L::W>) {
    let n = block.columns.len();
    let weights = if block.finish.is_gated() { 2 } else { 1 };
    let few = block.rows.len() <= FEW_ROWS;
    let at_once = if few { FEW_ROWS } else { MAX_ROWS };
    let mut strip = Strip { sums: [[[0.0; PANEL_COLUMNS]; FEW_ROWS]; 2] };
    let mut first = block.rows.start;
    while first < block.rows.end {
        let rows = first..block.rows.end.min(first + at_once);
        for which in 0..weights {
            // Safety: by the caller; inside of the slices by `Block::strided`.
            unsafe { strip_of::<L, MAX_ROWS>(block, which, rows.clone(), &mut strip.sums[which]) };
        }
        for row in rows.clone() {
            let [sums, second] = strip.sums.each_ref().map(|sums| &sums[row - first][..n]);
            // Safety: by the caller.
            unsafe { block.finish.row(row, block.columns.start, sums, second) };
        }
        first = rows.end;
    }
}

/// The sums of a few rows and one of the weights.
///
/// # Safety
/// As [`block`]; the rows are of the block.
#[inline(always)]
unsafe fn strip_of<L: Lanes<MAX_ROWS>, const MAX_ROWS: usize>(
    block: &Block<L::X, L::W>,
    which: usize,
    rows: Range<usize>,
    sums: &mut [[f32; PANEL_COLUMNS]; FEW_ROWS],
) {
    let k_block = K_BLOCK_BYTES / size_of::<L::X>();
    let mut from = 0;
    while from < block.k {
        let k = from..block.k.min(from + k_block);
        let mut column = 0;
        while column < block.columns.len() {
            // Safety: by the caller.
            unsafe { fetch_ahead::<L, MAX_ROWS>(block, which, &rows, column, &k) };
            let mut row = rows.start;
            while row < rows.end {
                let m = MAX_ROWS.min(rows.end - row);
                let tile = Tile { which, row, column, k: k.clone() };
                let sums = &mut sums[row - rows.start..];
                // Safety: by the caller.
                unsafe {
                    match m {
                        1 => tile.sums::<L, 1, MAX_ROWS>(block, sums),
                        2 => tile.sums::<L, 2, MAX_ROWS>(block, sums),
                        3 => tile.sums::<L, 3, MAX_ROWS>(block, sums),
                        4 => tile.sums::<L, 4, MAX_ROWS>(block, sums),
                        5 => tile.sums::<L, 5, MAX_ROWS>(block, sums),
                        _ => tile.sums::<L, 6, MAX_ROWS>(block, sums),
                    }
                }
                row += m;
            }
            column += TILE_COLUMNS;
        }
        from = k.end;
    }
}

/// Asks for what comes after a column of tiles, so that it is there by then: a
/// share of the next rows of `x`; or, while all rows stay, the next weight rows.
///
/// # Safety
/// As [`block`].
#[inline(always)]
unsafe fn fetch_ahead<L: Lanes<MAX_ROWS>, const MAX_ROWS: usize>(
    block: &Block<L::X, L::W>,
    which: usize,
    rows: &Range<usize>,
    column: usize,
    k: &Range<usize>,
) {
    /// Bytes that a cache fetches at once.
    const LINE: usize = 64;
    // Safety: addresses are only hints; nothing is read.
    unsafe {
        if rows.len() == block.rows.len() {
            let line = LINE / size_of::<L::W>();
            for c in TILE_COLUMNS..2 * TILE_COLUMNS {
                let Rows { data, stride } = block.weights[which];
                let row = data.as_ptr().wrapping_add((block.columns.start + column + c) * stride);
                (k.clone()).step_by(line).for_each(|at| L::fetch(row.wrapping_add(at).cast()));
            }
        } else {
            let line = LINE / size_of::<L::X>();
            let tiles = block.columns.len().div_ceil(TILE_COLUMNS);
            let share = k.len().div_ceil(line).div_ceil(tiles) * line;
            let from = k.start + column / TILE_COLUMNS * share;
            let lines = from..k.end.min(from + share);
            for m in 0..MAX_ROWS {
                let Rows { data, stride } = block.x;
                let row = data.as_ptr().wrapping_add((rows.end + m) * stride);
                lines.clone().step_by(line).for_each(|at| L::fetch(row.wrapping_add(at).cast()));
            }
        }
    }
}

/// A few rows of `x` and [`TILE_COLUMNS`] columns, over a range of `k`.
struct Tile {
    /// Which weight.
    which: usize,
    /// First row.
    row: usize,
    /// First column, counted from that of the block.
    column: usize,
    k: Range<usize>,
}

impl Tile {
    /// Adds `M` rows of sums to those of earlier ranges of `k`.
    ///
    /// # Safety
    /// As [`block`]; the rows and the first column are of the block.
    #[inline(always)]
    unsafe fn sums<L: Lanes<MAX_ROWS>, const M: usize, const MAX_ROWS: usize>(
        &self,
        block: &Block<L::X, L::W>,
        totals: &mut [[f32; PANEL_COLUMNS]],
    ) {
        let Self { which, row, column, ref k } = *self;
        // A missing column repeats the last one; nobody reads its sum.
        let last = block.columns.end - 1;
        // Safety: rows and columns are inside of the slices, so all numbers of
        // `k` are; lanes beyond are not read by `load_*_part`.
        unsafe {
            let x: [*const L::X; M] = std::array::from_fn(|m| block.x(row + m));
            let w: [*const L::W; TILE_COLUMNS] = std::array::from_fn(|c| {
                block.weight(which, last.min(block.columns.start + column + c))
            });
            let mut sums = [[L::zero(); TILE_COLUMNS]; M];
            let mut at = k.start;
            while at + L::STEP <= k.end {
                let weights = [
                    L::load_w(w[0].add(at)),
                    L::load_w(w[1].add(at)),
                    L::load_w(w[2].add(at)),
                    L::load_w(w[3].add(at)),
                ];
                for m in 0..M {
                    let x = L::load_x(x[m].add(at));
                    for c in 0..TILE_COLUMNS {
                        sums[m][c] = L::add_product(sums[m][c], x, weights[c]);
                    }
                }
                at += L::STEP;
            }
            if at < k.end {
                let rest = k.end - at;
                for c in 0..TILE_COLUMNS {
                    let weights = L::load_w_part(w[c].add(at), rest);
                    for m in 0..M {
                        let x = L::load_x_part(x[m].add(at), rest);
                        sums[m][c] = L::add_product(sums[m][c], x, weights);
                    }
                }
            }
            for (totals, sums) in totals.iter_mut().zip(sums) {
                let totals = &mut totals[column..column + TILE_COLUMNS];
                let sums = L::sum(sums);
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total = if k.start == 0 { sum } else { *total + sum };
                }
            }
        }
    }
}
