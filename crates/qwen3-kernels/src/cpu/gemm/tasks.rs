//! How a product is cut into what one thread computes at a time.

use super::output::Output;
use super::path::Format;
use super::rows::Rows;
use crate::cpu::isa::Isa;
use rayon::prelude::*;
use std::ops::Range;

/// Bytes of the weight rows of one task: they stay in a second-level cache of
/// 1 MiB beside what passes by.
const PANEL_BYTES: usize = 384 * 1024;

/// Columns of a task, at most.
pub(super) const PANEL_COLUMNS: usize = 128;

/// Rows and columns of one output.
pub(crate) struct Task<'p, 'a, W> {
    pub output: &'p Output<'a, W>,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl<'a, W: Format> Task<'_, 'a, W> {
    /// The rows of each weight that its columns are computed from.
    pub(super) fn weight_rows(&self, isa: Isa, k: usize) -> Vec<Rows<'a, W>> {
        let weights = self.output.weights().each().iter();
        weights.map(|weight| Rows::new(isa, weight, k, &self.columns)).collect()
    }
}

/// The tasks of all outputs of `x`, `[m, k]`, in parallel, each of whole tiles as far as there
/// are rows and columns.
pub(super) fn tasks<'p, 'a, W: Sync>(
    outputs: &'p [Output<'a, W>],
    shape: [usize; 2],
    tile: [usize; 2],
) -> impl ParallelIterator<Item = Task<'p, 'a, W>> {
    tasks_of_panels(outputs, shape, tile, PANEL_BYTES)
}

/// [`tasks`] with panels of so many bytes, for a cache of another size.
pub(super) fn tasks_of_panels<'p, 'a, W: Sync>(
    outputs: &'p [Output<'a, W>],
    shape: [usize; 2],
    tile: [usize; 2],
    panel_bytes: usize,
) -> impl ParallelIterator<Item = Task<'p, 'a, W>> {
    let tasks = outputs.iter().flat_map(move |output| tasks_of(output, shape, tile, panel_bytes));
    tasks.collect::<Vec<_>>().into_par_iter()
}

/// The tasks of one output.
fn tasks_of<'p, 'a, W>(
    output: &'p Output<'a, W>,
    [m, k]: [usize; 2],
    [tile_rows, tile_columns]: [usize; 2],
    panel_bytes: usize,
) -> impl Iterator<Item = Task<'p, 'a, W>> + use<'p, 'a, W> {
    let n = output.n();
    let threads = rayon::current_num_threads();
    let column_bytes = output.weights().each().len() * k * size_of::<W>();
    let in_cache = (panel_bytes / column_bytes.max(1)).max(tile_columns);
    // As many panels for each thread, so that none waits for another.
    let panels = n.div_ceil(in_cache).next_multiple_of(threads).max(1);
    let most = PANEL_COLUMNS / tile_columns * tile_columns;
    let columns = n.div_ceil(panels).next_multiple_of(tile_columns).clamp(1, most);
    let panels = n.div_ceil(columns);
    // Where there are more threads than panels, rows are split too.
    let rows = m.div_ceil(threads.div_ceil(panels.max(1))).next_multiple_of(tile_rows).max(1);
    (0..panels).flat_map(move |panel| {
        (0..m).step_by(rows).map(move |row| Task {
            output,
            rows: row..m.min(row + rows),
            columns: panel * columns..n.min((panel + 1) * columns),
        })
    })
}
