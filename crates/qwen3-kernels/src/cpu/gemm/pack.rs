//! `x` in the layout that outer products take: transposed, panel by panel.

use super::transpose::transpose_256;
use crate::cpu::buffers::Buffer;
use crate::cpu::matrix::Matrix;
use rayon::prelude::*;

/// The tile of outer products that fits the registers of a processor.
#[derive(Clone, Copy)]
pub(crate) struct TileShape {
    /// Rows of `x`, which are packed together in a panel.
    pub rows: usize,
    /// Lanes of a register: what the rows of the last panel are a multiple of.
    pub lanes: usize,
    /// Columns of `y`: rows of the weight.
    pub columns: usize,
}

/// `x`, `[m, k]`, as panels `[k, rows]`; the last has as many rows as there are, up
/// to whole registers.
pub(super) struct PackedX {
    buffer: Buffer,
    len: usize,
}

impl PackedX {
    /// Packs in parallel.
    ///
    /// # Safety
    /// The processor has AVX2.
    ///
    /// # Panics
    /// If `x` is not of its shape.
    pub unsafe fn new(tile: TileShape, [m, k]: [usize; 2], x: &[f32]) -> Self {
        assert!(m * k == x.len(), "x is not [{m}, {k}]");
        let len = m.next_multiple_of(tile.lanes) * k;
        let mut packed = Self { buffer: Buffer::new(len * size_of::<f32>()), len };
        let whole = (tile.rows * k).max(1);
        let panels = packed.buffer.as_mut_slice::<f32>(len).par_chunks_mut(whole);
        panels.zip(x.par_chunks(whole)).for_each(|(panel, x)| {
            let (rows, padded) = (x.len() / k, panel.len() / k);
            if rows < padded {
                panel.fill(0.0);
            }
            // Safety: by the caller.
            unsafe { transpose_256(Matrix { data: x, stride: k }, [rows, k], panel, padded) };
        });
        packed
    }

    pub fn as_slice(&self) -> &[f32] {
        self.buffer.as_slice(self.len)
    }
}
