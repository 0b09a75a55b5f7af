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
//! all rows of `x` pass by; a tile of `x` stays in the first-level cache.

mod lanes;
mod outer;
mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::destination::Destination;
use crate::isa::Isa;
use burn::tensor::{bf16, f16};
use lanes::Lanes;
#[cfg(not(target_arch = "x86_64"))]
use portable::Wide as Number;
use rayon::prelude::*;
#[cfg(target_arch = "x86_64")]
use x86::Load as Number;

/// Bytes of the weight rows of one task: they stay in a second-level cache of
/// 1 MiB beside what passes by.
const PANEL_BYTES: usize = 384 * 1024;
/// Weight rows of one tile.
pub(crate) const TILE_COLUMNS: usize = 4;

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
    // Safety: the processor has the instructions (`Isa`), and by the caller.
    unsafe { kernel(isa)(&Block::new(k, x, w, 0..m, 0..n, out)) }
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
            _ => portable::add_weighted_rows(shape, p, v, out),
        }
    }
}

/// The numbers of a weight.
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
}

/// `out = x · weightᵀ`; `x` is `[m, k]`, the weight `[n, k]`, `out` `[m, n]`.
///
/// # Panics
/// If the slices are not of these shapes.
pub(crate) fn product(isa: Isa, [m, k, n]: [usize; 3], x: &[f32], weight: Weight, out: &mut [f32]) {
    assert!(m * k == x.len() && n * k == weight.len() && m * n == out.len(), "[{m}, {k}, {n}]");
    if m == 0 || n == 0 {
        return;
    }
    let out = Destination::new(out, n);
    // Safety: the processor has the instructions (`Isa`), and `out` outlives this.
    unsafe {
        match weight {
            #[cfg(target_arch = "x86_64")]
            Weight::Bf16(w) if isa == Isa::Avx512Bf16 => {
                blocks([m, k, n], &rounded(x), w, out, x86::avx512_bf16);
            }
            Weight::F32(w) => blocks([m, k, n], x, w, out, kernel(isa)),
            Weight::Bf16(w) => blocks([m, k, n], x, w, out, kernel(isa)),
            Weight::F16(w) => blocks([m, k, n], x, w, out, kernel(isa)),
        }
    }
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
        _ => portable::block::<W>,
    }
}

/// Runs `kernel` in parallel on blocks that are all of `x · wᵀ`.
///
/// # Safety
/// The processor has the instructions of `kernel`; `out` is ours alone.
unsafe fn blocks<X: Sync, W: Sync>(
    [m, k, n]: [usize; 3],
    x: &[X],
    w: &[W],
    out: Destination,
    kernel: Kernel<X, W>,
) {
    let threads = rayon::current_num_threads();
    let in_cache = (PANEL_BYTES / (k * size_of::<W>()).max(1)).max(TILE_COLUMNS);
    // As many panels for each thread, so that none waits for another.
    let panels = n.div_ceil(in_cache).next_multiple_of(threads);
    let columns = n.div_ceil(panels).next_multiple_of(TILE_COLUMNS);
    // Where there are more threads than panels, rows are split too.
    let panels = n.div_ceil(columns);
    let rows = m.div_ceil(threads.div_ceil(panels));
    let row_blocks = m.div_ceil(rows);
    (0..panels * row_blocks).into_par_iter().for_each(|task| {
        let (panel, block) = (task % panels, task / panels);
        let columns = panel * columns..n.min((panel + 1) * columns);
        let rows = block * rows..m.min((block + 1) * rows);
        let (x, w) = (Rows { data: x, stride: k }, Rows { data: w, stride: k });
        // Safety: no two blocks share a row and a column; the rest by the caller.
        unsafe { kernel(&Block::new(k, x, w, rows, columns, out)) };
    });
}

/// `x` rounded to bfloat16, to the nearest, ties to even.
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "for paths with bfloat16 products")
)]
fn rounded(x: &[f32]) -> Vec<bf16> {
    const TASK: usize = 32 * 1024;
    let mut rounded = vec![bf16::ZERO; x.len()];
    rounded.par_chunks_mut(TASK).zip(x.par_chunks(TASK)).for_each(|(rounded, x)| {
        for (rounded, &x) in rounded.iter_mut().zip(x) {
            let bits = x.to_bits();
            // Wraps for some NaN, and could carry others over into infinity.
            let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
            *rounded = bf16::from_bits(if x.is_nan() { 0x7fc0 } else { nearest as u16 });
        }
    });
    rounded
}

/// What one task computes.
struct Block<'a, X, W> {
    k: usize,
    x: Rows<'a, X>,
    weight: Rows<'a, W>,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    out: Destination,
}

impl<'a, X, W> Block<'a, X, W> {
    fn new(
        k: usize,
        x: Rows<'a, X>,
        weight: Rows<'a, W>,
        rows: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
        out: Destination,
    ) -> Self {
        assert!(x.holds(rows.end, k) && weight.holds(columns.end, k), "{rows:?} {columns:?}");
        Self { k, x, weight, rows, columns, out }
    }
}

/// Tile by tile: a few rows of `x` against all columns, then the next rows.
///
/// # Safety
/// The processor has the instructions of `L`; nobody else uses these rows and
/// columns of `out`, which is alive.
#[inline(always)]
unsafe fn block<L: Lanes<MAX_ROWS>, const MAX_ROWS: usize>(block: &Block<L::X, L::W>) {
    let mut row = block.rows.start;
    while row < block.rows.end {
        let m = MAX_ROWS.min(block.rows.end - row);
        let mut column = block.columns.start;
        while column < block.columns.end {
            let n = TILE_COLUMNS.min(block.columns.end - column);
            // Safety: by the caller; inside of the slices by `Block::new`.
            unsafe {
                match m {
                    1 => tile::<L, 1, MAX_ROWS>(block, row, column, n),
                    2 => tile::<L, 2, MAX_ROWS>(block, row, column, n),
                    3 => tile::<L, 3, MAX_ROWS>(block, row, column, n),
                    4 => tile::<L, 4, MAX_ROWS>(block, row, column, n),
                    5 => tile::<L, 5, MAX_ROWS>(block, row, column, n),
                    _ => tile::<L, 6, MAX_ROWS>(block, row, column, n),
                }
            }
            column += n;
        }
        row += m;
    }
}

/// `M` rows of `x` against `n` rows of the weight, at most [`TILE_COLUMNS`].
///
/// # Safety
/// As [`block`]; the rows and columns are inside of the block.
#[inline(always)]
unsafe fn tile<L: Lanes<MAX_ROWS>, const M: usize, const MAX_ROWS: usize>(
    block: &Block<L::X, L::W>,
    row: usize,
    column: usize,
    n: usize,
) {
    let k = block.k;
    // Safety: rows and columns are inside of the slices, so all of `k` numbers
    // from their starts are; lanes beyond `k` are not read by `load_*_part`.
    unsafe {
        let x: [*const L::X; M] =
            std::array::from_fn(|m| block.x.data.as_ptr().add((row + m) * block.x.stride));
        // A missing column repeats the last one, and isn't stored.
        let w: [*const L::W; TILE_COLUMNS] = std::array::from_fn(|c| {
            let column = column + c.min(n - 1);
            block.weight.data.as_ptr().add(column * block.weight.stride)
        });
        let mut sums = [[L::zero(); TILE_COLUMNS]; M];
        let mut at = 0;
        while at + L::STEP <= k {
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
        if at < k {
            let rest = k - at;
            for c in 0..TILE_COLUMNS {
                let weights = L::load_w_part(w[c].add(at), rest);
                for m in 0..M {
                    let x = L::load_x_part(x[m].add(at), rest);
                    sums[m][c] = L::add_product(sums[m][c], x, weights);
                }
            }
        }
        for (m, sums) in sums.into_iter().enumerate() {
            let sums = L::sum(sums);
            block.out.write_row(row + m, column, &sums[..n]);
        }
    }
}
