//! How weights are to be held.

use crate::weights::Stored;
use qwen3_dtypes::{Dtype, Layout};
use qwen3_kernels::MatmulStrategy;

/// How weights are held on a device, and multiplied.
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    /// How most of the embeddings and linear layers are held.
    pub dtype: Dtype,
    /// Matrices that are stored in blocks stay in them, and numbers become this dtype;
    /// `None`: all become [`Storage::dtype`].
    pub as_stored: Option<Dtype>,
    /// In which layout linear layers take blocks fastest ([`qwen3_kernels::Kernels::layout`]).
    pub layout: Layout,
    /// The largest tensor that the device takes.
    pub max_tensor_bytes: u64,
    /// How the linear layers are computed.
    pub strategy: MatmulStrategy,
}

impl Storage {
    /// All matrices in one dtype, row after row.
    pub fn all(dtype: Dtype, max_tensor_bytes: u64, strategy: MatmulStrategy) -> Self {
        Self { dtype, as_stored: None, layout: Layout::Rows, max_tensor_bytes, strategy }
    }

    /// How a matrix is held whose rows have so many columns: in float32 where they are no
    /// whole blocks.
    pub fn dtype_of(&self, stored: Dtype, columns: usize) -> Dtype {
        match self.as_stored {
            Some(_) if stored.is_blocks() => stored,
            Some(numbers) => numbers,
            None if columns.is_multiple_of(self.dtype.block_len()) => self.dtype,
            None => Dtype::F32,
        }
    }

    /// How the matrix of a linear layer is laid out that is held in `dtype`: rows stay where
    /// they are stored.
    pub fn layout_of(&self, stored: &Stored, dtype: Dtype) -> Layout {
        let stays = (stored.dtype, stored.layout) == (dtype, Layout::Rows);
        match stored.shape {
            &[rows, columns] if !stays && self.layout.takes(dtype, [rows, columns]) => self.layout,
            _ => Layout::Rows,
        }
    }
}
