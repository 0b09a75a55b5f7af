//! Keys and values in the form that products take them.

use super::KEY_BLOCK;
use crate::destination::Destination;
use crate::isa::Isa;
use crate::linear::product::{Rows, add_weighted_rows, scores};
use std::ops::Range;

/// Keys of a sequence that are met at one time.
#[derive(Clone)]
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
    F32 { k: &'a [f32], v: &'a [f32], kv_heads: usize, width: usize, firsts: Vec<usize> },
    /// As pairs of bfloat16 numbers, for products of these.
    #[cfg(target_arch = "x86_64")]
    Pairs(super::pairs::Pairs),
}

impl<'a> KeyValues<'a> {
    /// Of sequences that begin at `firsts` and have so many keys.
    pub fn new(
        k: &'a [f32],
        v: &'a [f32],
        [kv_heads, width]: [usize; 2],
        sequences: impl Iterator<Item = (usize, usize)>,
        in_pairs: bool,
    ) -> Self {
        #[cfg(target_arch = "x86_64")]
        if in_pairs {
            return Self::Pairs(super::pairs::Pairs::new(k, v, [kv_heads, width], sequences));
        }
        assert!(!in_pairs, "only x86-64 has products of pairs");
        let firsts = sequences.map(|(first, _)| first).collect();
        Self::F32 { k, v, kv_heads, width, firsts }
    }

    /// Makes of the queries `[rows, D]` what [`KeyValues::scores`] takes.
    #[inline(always)]
    pub fn prepare(&self, queries: &[f32], rounded: &mut Rounded) {
        #[cfg(target_arch = "x86_64")]
        if matches!(self, Self::Pairs(_)) {
            super::pairs::round(queries, &mut rounded.queries);
        }
        let _ = (queries, rounded);
    }

    /// `scores = queries · kᵀ`, `[rows, columns]`; what is beyond the keys is nothing.
    #[inline(always)]
    pub fn scores(
        &self,
        isa: Isa,
        block: &KeyBlock,
        queries: &[f32],
        rounded: &Rounded,
        scores_out: &mut [f32],
    ) {
        let n = block.columns();
        let rows = scores_out.len() / n;
        match self {
            Self::F32 { k, .. } => {
                let (k, width) = self.rows(k, block);
                let queries = Rows { data: queries, stride: width };
                let out = Destination::new(scores_out, n);
                // Safety: the scores are ours alone, and outlive the call.
                unsafe { scores(isa, [rows, width, block.keys.len()], queries, k, out) };
            }
            #[cfg(target_arch = "x86_64")]
            Self::Pairs(pairs) => pairs.scores(block, &rounded.queries, scores_out),
        }
        let _ = rounded;
    }

    /// `attended += weights · v`, `[rows, D]`
    #[inline(always)]
    pub fn add_values(
        &self,
        isa: Isa,
        block: &KeyBlock,
        weights: &[f32],
        rounded: &mut Rounded,
        attended: &mut [f32],
    ) {
        let n = block.columns();
        let rows = weights.len() / n;
        match self {
            Self::F32 { v, .. } => {
                let (v, width) = self.rows(v, block);
                let weights = Rows { data: weights, stride: n };
                let out = Destination::new(attended, width);
                // Safety: as above.
                unsafe { add_weighted_rows(isa, [rows, block.keys.len(), width], weights, v, out) };
            }
            #[cfg(target_arch = "x86_64")]
            Self::Pairs(pairs) => {
                super::pairs::round(weights, &mut rounded.weights);
                pairs.add_values(block, &rounded.weights, attended);
            }
        }
        let _ = rounded;
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
