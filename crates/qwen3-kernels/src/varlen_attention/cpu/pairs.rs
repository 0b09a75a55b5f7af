//! Keys and values rounded to bfloat16, in pairs, for processors that multiply
//! and sum two such numbers at once.
//!
//! ```text
//!   keys of a block, for each pair of numbers of a head    values, for each pair of keys
//!   ┌ k0[0,1]  k1[0,1]  k2[0,1] … ┐                        ┌ v0,1[0]  v0,1[1]  v0,1[2] … ┐
//!   │ k0[2,3]  k1[2,3]  k2[2,3] … │                        │ v2,3[0]  v2,3[1]  v2,3[2] … │
//! ```

use super::KEY_BLOCK;
use super::keys::{COLUMNS, KeyBlock};
use crate::buffers::Buffer;
use crate::destination::Destination;
use crate::isa::{Isa, vectorized};
use crate::linear::product::Rows;
use crate::linear::product::pairs::{add_weighted_pairs, pair};
use rayon::prelude::*;

/// Keys and values, head after head, sequence after sequence, block after
/// block; missing keys are zeros up to a multiple of [`COLUMNS`].
pub(super) struct Pairs {
    isa: Isa,
    keys: Buffer,
    values: Buffer,
    /// For each sequence the padded keys of those before it, then of all.
    starts: Vec<usize>,
    kv_heads: usize,
    width: usize,
}

impl Pairs {
    /// Rounds and packs in parallel.
    ///
    /// # Panics
    /// If a head is an odd number of numbers wide.
    pub fn new(
        isa: Isa,
        k: &[f32],
        v: &[f32],
        [kv_heads, width]: [usize; 2],
        sequences: impl Iterator<Item = (usize, usize)>,
    ) -> Self {
        assert!(width.is_multiple_of(2), "a head of {width} numbers");
        let sequences: Vec<(usize, usize)> = sequences.collect();
        let mut starts = vec![0];
        for (_, n_keys) in &sequences {
            starts.push(starts[starts.len() - 1] + n_keys.next_multiple_of(COLUMNS));
        }
        let rows = starts[sequences.len()];
        let pairs = kv_heads * rows * width / 2;
        let new = || Buffer::new(pairs * size_of::<u32>());
        let mut packed = Self { isa, keys: new(), values: new(), starts, kv_heads, width };

        let blocks: Vec<Source> = (0..kv_heads)
            .flat_map(|head| {
                sequences.iter().flat_map(move |&(first, n_keys)| {
                    (0..n_keys).step_by(KEY_BLOCK).map(move |at| Source {
                        first: first + at,
                        n_keys: KEY_BLOCK.min(n_keys - at),
                        head,
                    })
                })
            })
            .collect();
        let keys = pieces(packed.keys.numbers_mut(pairs), &blocks, width);
        let values = pieces(packed.values.numbers_mut(pairs), &blocks, width);
        let shape = [kv_heads, width];
        blocks.par_iter().zip(keys).zip(values).for_each(|((block, keys), values)| {
            pack(isa, block, (k, keys), (v, values), shape);
        });
        packed
    }

    /// As [`super::keys::KeyValues::scores`], from rounded queries.
    #[inline(always)]
    pub fn scores(&self, block: &KeyBlock, queries: &[u32], scores: &mut [f32]) {
        let (n, pairs) = (block.columns(), self.width / 2);
        scores.fill(0.0);
        let rows = Rows { data: queries, stride: pairs };
        let keys = Rows { data: &self.keys()[self.start(block)..], stride: self.stride(block) };
        let out = Destination::new(scores, n);
        // Safety: the scores are ours alone, and outlive the call.
        unsafe { add_weighted_pairs(self.isa, [scores.len() / n, pairs, n], rows, keys, out) };
    }

    /// As [`super::keys::KeyValues::add_values`], from rounded weights.
    #[inline(always)]
    pub fn add_values(&self, block: &KeyBlock, weights: &[u32], attended: &mut [f32]) {
        let (pairs, width) = (block.columns() / 2, self.width);
        let rows = Rows { data: weights, stride: pairs };
        let values = Rows { data: &self.values()[self.start(block)..], stride: width };
        let out = Destination::new(attended, width);
        // Safety: as above.
        unsafe {
            add_weighted_pairs(self.isa, [attended.len() / width, pairs, width], rows, values, out)
        };
    }

    fn keys(&self) -> &[u32] {
        self.keys.numbers(self.len())
    }

    fn values(&self) -> &[u32] {
        self.values.numbers(self.len())
    }

    fn len(&self) -> usize {
        self.kv_heads * self.starts[self.starts.len() - 1] * self.width / 2
    }

    /// Where a block begins.
    fn start(&self, block: &KeyBlock) -> usize {
        let rows = block.kv_head * self.starts[self.starts.len() - 1];
        (rows + self.starts[block.sequence] + block.keys.start) * self.width / 2
    }

    /// Columns of the whole block, of which only the first may be wanted.
    fn stride(&self, block: &KeyBlock) -> usize {
        let [start, end] = [0, 1].map(|next| self.starts[block.sequence + next]);
        KEY_BLOCK.min(end - start - block.keys.start)
    }
}

vectorized! {
    /// A block of keys and of values, each from its source.
    fn pack(
        block: &Source,
        keys: (&[f32], &mut [u32]),
        values: (&[f32], &mut [u32]),
        shape: [usize; 2],
    ) {
        block.pack_keys(keys.0, shape, keys.1);
        block.pack_values(values.0, shape, values.1);
    }
}

/// Numbers as pairs of neighbours.
#[inline(always)]
pub(super) fn round(numbers: &[f32], pairs: &mut Vec<u32>) {
    pairs.clear();
    let (twos, rest) = numbers.as_chunks::<2>();
    assert!(rest.is_empty(), "an odd number of numbers");
    pairs.extend(twos.iter().map(|&[first, second]| pair(first, second)));
}

/// The places of blocks that lie one after the other.
fn pieces<'a>(mut all: &'a mut [u32], blocks: &[Source], width: usize) -> Vec<&'a mut [u32]> {
    let piece = |block: &Source| {
        let pairs = block.columns() * width / 2;
        let (piece, rest) = std::mem::take(&mut all).split_at_mut(pairs);
        all = rest;
        piece
    };
    blocks.iter().map(piece).collect()
}

/// Rows of `k` and `v` that become a block.
struct Source {
    first: usize,
    n_keys: usize,
    head: usize,
}

impl Source {
    fn columns(&self) -> usize {
        self.n_keys.next_multiple_of(COLUMNS)
    }

    /// One row of a head.
    #[inline(always)]
    fn row<'a>(&self, data: &'a [f32], [kv_heads, width]: [usize; 2], key: usize) -> &'a [f32] {
        &data[((self.first + key) * kv_heads + self.head) * width..][..width]
    }

    /// For each pair of numbers those of all keys.
    #[inline(always)]
    fn pack_keys(&self, k: &[f32], shape: [usize; 2], packed: &mut [u32]) {
        let columns = self.columns();
        for first in (0..columns).step_by(COLUMNS) {
            // A square of pairs at a time: they are read and written in lines.
            for pairs in (0..shape[1] / 2).step_by(COLUMNS) {
                let mut square = [[0; COLUMNS]; COLUMNS];
                let n = COLUMNS.min(shape[1] / 2 - pairs);
                for key in first..self.n_keys.min(first + COLUMNS) {
                    let row = &self.row(k, shape, key)[2 * pairs..][..2 * n];
                    for (square, two) in square.iter_mut().zip(row.as_chunks::<2>().0) {
                        square[key - first] = pair(two[0], two[1]);
                    }
                }
                for (index, square) in square[..n].iter().enumerate() {
                    packed[(pairs + index) * columns + first..][..COLUMNS].copy_from_slice(square);
                }
            }
        }
    }

    /// For each pair of keys all their numbers.
    #[inline(always)]
    fn pack_values(&self, v: &[f32], shape: [usize; 2], packed: &mut [u32]) {
        let nothing = vec![0.0; shape[1]];
        let row = |key| if key < self.n_keys { self.row(v, shape, key) } else { &nothing };
        for (index, packed) in packed.chunks_exact_mut(shape[1]).enumerate() {
            let numbers = row(2 * index).iter().zip(row(2 * index + 1));
            for (packed, (&first, &second)) in packed.iter_mut().zip(numbers) {
                *packed = pair(first, second);
            }
        }
    }
}
