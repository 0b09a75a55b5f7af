//! Keys and values, block by block, in numbers of one of two kinds.

use super::KEY_BLOCK;
use super::packed::{self, Packed};
use crate::isa::Isa;
use std::ops::Range;

/// Keys of a sequence that are met at one time.
pub(super) struct KeyBlock {
    /// Which sequence.
    pub sequence: usize,
    /// Which keys of it: at most [`KEY_BLOCK`], from a multiple of that on.
    pub keys: Range<usize>,
    pub kv_head: usize,
}

impl KeyBlock {
    /// Columns of the block's scores: whole registers.
    pub fn columns(&self) -> usize {
        self.keys.len().next_multiple_of(COLUMNS)
    }
}

/// Numbers that a register holds, and keys a block is a multiple of.
pub(super) const COLUMNS: usize = 16;

/// Buffers of a thread for products: the left sides, rounded.
#[derive(Default)]
pub(super) struct Rounded {
    queries: Vec<u32>,
    weights: Vec<u32>,
}

/// Keys and values of all sequences, `[T, K, D]` each.
pub(super) enum KeyValues {
    F32(Packed<f32>),
    /// For products of pairs of bfloat16 numbers.
    Pairs(Packed<u32>),
}

impl KeyValues {
    /// Of sequences that begin at `firsts` and have so many keys.
    pub fn new(
        isa: Isa,
        k: &[f32],
        v: &[f32],
        shape: [usize; 2],
        sequences: impl Iterator<Item = (usize, usize)>,
        in_pairs: bool,
    ) -> Self {
        match in_pairs {
            true => Self::Pairs(Packed::new(isa, k, v, shape, sequences)),
            false => Self::F32(Packed::new(isa, k, v, shape, sequences)),
        }
    }

    /// Makes of the queries `[rows, D]` what [`KeyValues::scores`] takes.
    #[inline(always)]
    pub fn prepare(&self, queries: &[f32], rounded: &mut Rounded) {
        if let Self::Pairs(_) = self {
            packed::round(queries, &mut rounded.queries);
        }
    }

    /// `scores = queries · kᵀ`, `[rows, columns]`; what is beyond the keys is nothing.
    #[inline(always)]
    pub fn scores(&self, block: &KeyBlock, queries: &[f32], rounded: &Rounded, scores: &mut [f32]) {
        match self {
            Self::F32(packed) => packed.scores(block, queries, scores),
            Self::Pairs(packed) => packed.scores(block, &rounded.queries, scores),
        }
    }

    /// `attended += weights · v`, `[rows, D]`
    #[inline(always)]
    pub fn add_values(
        &self,
        block: &KeyBlock,
        weights: &[f32],
        rounded: &mut Rounded,
        attended: &mut [f32],
    ) {
        match self {
            Self::F32(packed) => packed.add_values(block, weights, attended),
            Self::Pairs(packed) => {
                packed::round(weights, &mut rounded.weights);
                packed.add_values(block, &rounded.weights, attended);
            }
        }
    }
}

/// The blocks of `n_keys` keys.
pub(super) fn blocks(
    sequence: usize,
    n_keys: usize,
    kv_head: usize,
) -> impl Iterator<Item = KeyBlock> {
    let block =
        move |first| KeyBlock { sequence, keys: first..n_keys.min(first + KEY_BLOCK), kv_head };
    (0..n_keys).step_by(KEY_BLOCK).map(block)
}
