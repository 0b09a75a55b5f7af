//! Keys of a sequence, a block at a time.

use std::ops::Range;

/// Keys met at one time: their scores and the keys themselves fit the
/// second-level cache.
pub(super) const KEY_BLOCK: usize = 256;
/// Numbers that a register holds, and keys a block is padded to a multiple of.
pub(super) const COLUMNS: usize = 16;

/// Keys of a sequence that are met at one time.
pub(super) struct KeyBlock {
    /// Which sequence.
    pub sequence: usize,
    /// Which keys of it: at most [`KEY_BLOCK`], from a multiple of that on.
    pub keys: Range<usize>,
    pub kv_head: usize,
}

impl KeyBlock {
    /// The blocks of a sequence's first keys.
    pub fn all(sequence: usize, n_keys: usize, kv_head: usize) -> impl Iterator<Item = Self> {
        let block =
            move |first| Self { sequence, keys: first..n_keys.min(first + KEY_BLOCK), kv_head };
        (0..n_keys).step_by(KEY_BLOCK).map(block)
    }

    /// Columns of the block's scores: whole registers.
    pub fn columns(&self) -> usize {
        self.keys.len().next_multiple_of(COLUMNS)
    }
}
