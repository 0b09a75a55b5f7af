//! Keys and values in the form that products take them.

use super::KEY_BLOCK;
use super::pairs::{self, Pairs};
use crate::destination::Destination;
use crate::isa::Isa;
use crate::linear::product::{self, Rows};
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
pub(super) enum KeyValues<'a> {
    /// As they are.
    F32 { isa: Isa, k: &'a [f32], v: &'a [f32], kv_heads: usize, width: usize, firsts: Vec<usize> },
    /// As pairs of bfloat16 numbers, for products of these.
    Pairs(Pairs),
}

impl<'a> KeyValues<'a> {
    /// Of sequences that begin at `firsts` and have so many keys.
    pub fn new(
        isa: Isa,
        k: &'a [f32],
        v: &'a [f32],
        [kv_heads, width]: [usize; 2],
        sequences: impl Iterator<Item = (usize, usize)>,
        in_pairs: bool,
    ) -> Self {
        if in_pairs {
            return Self::Pairs(Pairs::new(isa, k, v, [kv_heads, width], sequences));
        }
        let firsts = sequences.map(|(first, _)| first).collect();
        Self::F32 { isa, k, v, kv_heads, width, firsts }
    }

    /// Makes of the queries `[rows, D]` what [`KeyValues::scores`] takes.
    #[inline(always)]
    pub fn prepare(&self, queries: &[f32], rounded: &mut Rounded) {
        if let Self::Pairs(_) = self {
            pairs::round(queries, &mut rounded.queries);
        }
    }

    /// `scores = queries · kᵀ`, `[rows, columns]`; what is beyond the keys is nothing.
    #[inline(always)]
    pub fn scores(&self, block: &KeyBlock, queries: &[f32], rounded: &Rounded, scores: &mut [f32]) {
        let n = block.columns();
        let rows = scores.len() / n;
        match self {
            Self::F32 { isa, k, .. } => {
                let (k, width) = self.rows(k, block);
                let queries = Rows { data: queries, stride: width };
                let out = Destination::new(scores, n);
                // Safety: the scores are ours alone, and outlive the call.
                unsafe { product::scores(*isa, [rows, width, block.keys.len()], queries, k, out) };
            }
            Self::Pairs(pairs) => pairs.scores(block, &rounded.queries, scores),
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
        let n = block.columns();
        let rows = weights.len() / n;
        match self {
            Self::F32 { isa, v, .. } => {
                let (v, width) = self.rows(v, block);
                let weights = Rows { data: weights, stride: n };
                let out = Destination::new(attended, width);
                // Safety: as above.
                unsafe {
                    product::add_weighted_rows(
                        *isa,
                        [rows, block.keys.len(), width],
                        weights,
                        v,
                        out,
                    )
                };
            }
            Self::Pairs(pairs) => {
                pairs::round(weights, &mut rounded.weights);
                pairs.add_values(block, &rounded.weights, attended);
            }
        }
    }

    /// A block's rows of one head, and how wide they are.
    fn rows<'s>(&self, data: &'s [f32], block: &KeyBlock) -> (Rows<'s, f32>, usize) {
        let Self::F32 { kv_heads, width, firsts, .. } = self else {
            panic!("only float32 numbers are as they were");
        };
        let stride = kv_heads * width;
        let from = (firsts[block.sequence] + block.keys.start) * stride + block.kv_head * width;
        (Rows { data: &data[from..], stride }, *width)
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
