//! Keys and values, in elements of one of two kinds.

use super::key_block::KeyBlock;
use super::packed::{self, Packed};

/// Buffers of a thread: left sides of products, rounded to pairs.
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
