//! How a product is cut into what one thread computes at a time.

use super::Part;
use super::block::{Block, PANEL_COLUMNS};
use rayon::prelude::*;
use std::ops::Range;

/// Bytes of the weight rows of one task: they stay in a second-level cache of
/// 1 MiB beside what passes by.
const PANEL_BYTES: usize = 384 * 1024;

/// Rows and columns of one part.
pub(super) struct Task<'p, 'a> {
    pub part: &'p Part<'a>,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl Task<'_, '_> {
    /// What it computes from `x` and the weights.
    pub fn block<'b, X, W>(
        &'b self,
        k: usize,
        x: &'b [X],
        weights: [&'b [W]; 2],
    ) -> Block<'b, X, W> {
        let (rows, columns) = (self.rows.clone(), self.columns.clone());
        Block::new(k, x, weights, rows, columns, &self.part.finish)
    }
}

/// The blocks of all parts, in parallel, each of whole tiles as far as there
/// are rows and columns.
pub(super) fn tasks<'p, 'a>(
    parts: &'p [Part<'a>],
    m: usize,
    tile: [usize; 2],
) -> impl ParallelIterator<Item = Task<'p, 'a>> {
    let threads = rayon::current_num_threads();
    let tasks = parts.iter().flat_map(move |part| tasks_of(part, m, tile, threads));
    tasks.collect::<Vec<_>>().into_par_iter()
}

/// The blocks of one part.
fn tasks_of<'p, 'a>(
    part: &'p Part<'a>,
    m: usize,
    [tile_rows, tile_columns]: [usize; 2],
    threads: usize,
) -> impl Iterator<Item = Task<'p, 'a>> + use<'p, 'a> {
    let n = part.n;
    let column_bytes = part.weights() * part.weight.bytes() / n.max(1);
    let in_cache = (PANEL_BYTES / column_bytes.max(1)).max(tile_columns);
    // As many panels for each thread, so that none waits for another.
    let panels = n.div_ceil(in_cache).next_multiple_of(threads).max(1);
    let most = PANEL_COLUMNS / tile_columns * tile_columns;
    let columns = n.div_ceil(panels).next_multiple_of(tile_columns).clamp(1, most);
    let panels = n.div_ceil(columns);
    // Where there are more threads than panels, rows are split too.
    let rows = m.div_ceil(threads.div_ceil(panels.max(1))).next_multiple_of(tile_rows).max(1);
    (0..panels).flat_map(move |panel| {
        (0..m).step_by(rows).map(move |row| Task {
            part,
            rows: row..m.min(row + rows),
            columns: panel * columns..n.min((panel + 1) * columns),
        })
    })
}
