//! What one thread computes at a time: some rows of `x` against a panel of weight rows.

use super::epilogue::Epilogue;
use super::tasks::{PANEL_COLUMNS, Task};
use std::ops::Range;

/// Rows and columns of one output, and what they are computed from.
pub(crate) struct Block<'a, X, W> {
    pub k: usize,
    /// `[m, k]`, in the layout of the macrokernel.
    pub x: &'a [X],
    /// Their rows of these columns alone.
    weights: &'a [&'a [W]],
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub epilogue: &'a Epilogue<'a>,
}

/// Computes a block, tile by tile.
///
/// # Safety
/// The processor has its instructions; nobody else uses these rows and columns of
/// the output, which is alive.
pub(crate) type Macrokernel<X, W> = unsafe fn(&Block<X, W>);

impl<'a, X, W> Block<'a, X, W> {
    /// What a task computes from `x` and its rows of the weights.
    ///
    /// # Panics
    /// If `x` or a weight has not its rows and columns.
    pub fn new(k: usize, x: &'a [X], weights: &'a [&'a [W]], task: &'a Task<W>) -> Self {
        let epilogue = task.output.epilogue();
        let (rows, columns) = (task.rows.clone(), task.columns.clone());
        let holds = weights.iter().all(|weight| columns.len() * k <= weight.len());
        assert!(rows.end * k <= x.len() && holds, "{rows:?} {columns:?}");
        assert!(columns.len() <= PANEL_COLUMNS, "{columns:?}");
        Self { k, x, weights, rows, columns, epilogue }
    }

    /// One, or a gate and what it gates: the rows of the block's columns.
    #[inline(always)]
    pub fn weights(&self) -> &'a [&'a [W]] {
        self.weights
    }

    /// Where row `row` of `x` begins.
    ///
    /// # Safety
    /// It is one of [`Block::rows`].
    #[inline(always)]
    pub unsafe fn x(&self, row: usize) -> *const X {
        // Safety: inside of the slice, by `Block::new`.
        unsafe { self.x.as_ptr().add(row * self.k) }
    }

    /// Where a row of one of the weights begins, counted from the block's first column.
    ///
    /// # Safety
    /// It is one of [`Block::columns`].
    #[inline(always)]
    pub unsafe fn weight(&self, which: usize, column: usize) -> *const W {
        // Safety: inside of the slice, by `Block::new`.
        unsafe { self.weights[which].as_ptr().add(column * self.k) }
    }
}
