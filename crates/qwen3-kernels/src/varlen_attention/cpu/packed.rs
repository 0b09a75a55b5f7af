//! Keys and values, packed in the order in which products take them: head after
//! head, block after block, keys transposed. So rows lie side by side, and not whole
//! tokens apart, where they would meet in the same few places of a cache.
//!
//! Where processors multiply and sum two bfloat16 numbers at once, they are
//! rounded to such pairs:
//!
//! ```text
//!   keys of a block, for each pair of numbers of a head    values, for each pair of keys
//!   ┌ k0[0,1]  k1[0,1]  k2[0,1] … ┐                        ┌ v0,1[0]  v0,1[1]  v0,1[2] … ┐
//!   │ k0[2,3]  k1[2,3]  k2[2,3] … │                        │ v2,3[0]  v2,3[1]  v2,3[2] … │
//! ```

use super::key_block::{COLUMNS, KEY_BLOCK, KeyBlock};
use crate::cpu::buffers::Buffer;
use crate::cpu::destination::Destination;
use crate::cpu::gemm::bf16::pair;
use crate::cpu::gemm::{Accumulate, Sum, accumulate_f32, accumulate_pairs};
use crate::cpu::isa::Isa;
use crate::cpu::matrix::Matrix;
use crate::cpu::vectorized::vectorized;
use bytemuck::Pod;
use rayon::prelude::*;

/// What is multiplied: a number, or a pair of rounded ones.
pub(super) trait Element: Pod + Send + Sync {
    /// Numbers of an element.
    const NUMBERS: usize;

    /// The element of so many numbers.
    fn of(numbers: &[f32]) -> Self;

    /// How products of such elements are summed.
    fn accumulate(isa: Isa) -> Accumulate<Self>;
}

impl Element for f32 {
    const NUMBERS: usize = 1;

    #[inline(always)]
    fn of(numbers: &[f32]) -> Self {
        numbers[0]
    }

    fn accumulate(isa: Isa) -> Accumulate<Self> {
        accumulate_f32(isa)
    }
}

impl Element for u32 {
    const NUMBERS: usize = 2;

    #[inline(always)]
    fn of(numbers: &[f32]) -> Self {
        pair(numbers[0], numbers[1])
    }

    fn accumulate(isa: Isa) -> Accumulate<Self> {
        accumulate_pairs(isa)
    }
}

/// Keys and values of all sequences; missing keys are zeros up to a multiple of
/// [`COLUMNS`].
pub(super) struct Packed<T: Element> {
    accumulate: Accumulate<T>,
    keys: Buffer,
    values: Buffer,
    /// For each sequence the padded keys of those before it, then of all.
    starts: Vec<usize>,
    kv_heads: usize,
    width: usize,
}

impl<T: Element> Packed<T> {
    /// Packs in parallel.
    ///
    /// # Panics
    /// If a head is not whole elements wide.
    pub fn new(
        isa: Isa,
        [k, v]: [&[f32]; 2],
        [kv_heads, width]: [usize; 2],
        sequences: impl Iterator<Item = (usize, usize)>,
    ) -> Self {
        assert!(width.is_multiple_of(T::NUMBERS), "a head of {width} numbers");
        let sequences: Vec<(usize, usize)> = sequences.collect();
        let mut starts = vec![0];
        for (_, n_keys) in &sequences {
            starts.push(starts[starts.len() - 1] + n_keys.next_multiple_of(COLUMNS));
        }
        let rows = starts[sequences.len()];
        let elements = kv_heads * rows * width / T::NUMBERS;
        let new = || Buffer::new(elements * size_of::<T>());
        let (keys, values, accumulate) = (new(), new(), T::accumulate(isa));
        let mut packed = Self { accumulate, keys, values, starts, kv_heads, width };

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
        let keys = pieces(packed.keys.as_mut_slice::<T>(elements), &blocks, width);
        let values = pieces(packed.values.as_mut_slice::<T>(elements), &blocks, width);
        let shape = [kv_heads, width];
        blocks.par_iter().zip(keys).zip(values).for_each(|((block, keys), values)| {
            pack(isa, block, (k, keys), (v, values), shape);
        });
        packed
    }

    /// As [`super::key_values::KeyValues::scores`], from packed queries.
    #[inline(always)]
    pub fn scores(&self, block: &KeyBlock, queries: &[T], scores: &mut [f32]) {
        let (n, width) = (block.columns(), self.width / T::NUMBERS);
        scores.fill(0.0);
        let shape = [scores.len() / n, width, n];
        let a = Matrix { data: queries, stride: width };
        let b = Matrix { data: &self.keys()[self.start(block)..], stride: self.stride(block) };
        let c = Destination::new(scores, n);
        // Safety: the scores are ours alone, and outlive the call.
        unsafe { (self.accumulate)(Sum { shape, a, b, c }) };
    }

    /// As [`super::key_values::KeyValues::add_values`], from packed weights.
    #[inline(always)]
    pub fn add_values(&self, block: &KeyBlock, weights: &[T], attended: &mut [f32]) {
        let (keys, width) = (block.columns() / T::NUMBERS, self.width);
        let shape = [attended.len() / width, keys, width];
        let a = Matrix { data: weights, stride: keys };
        let b = Matrix { data: &self.values()[self.start(block)..], stride: width };
        let c = Destination::new(attended, width);
        // Safety: as above.
        unsafe { (self.accumulate)(Sum { shape, a, b, c }) };
    }

    fn keys(&self) -> &[T] {
        self.keys.as_slice(self.len())
    }

    fn values(&self) -> &[T] {
        self.values.as_slice(self.len())
    }

    fn len(&self) -> usize {
        self.kv_heads * self.starts[self.starts.len() - 1] * self.width / T::NUMBERS
    }

    /// Where a block begins.
    fn start(&self, block: &KeyBlock) -> usize {
        let rows = block.kv_head * self.starts[self.starts.len() - 1];
        (rows + self.starts[block.sequence] + block.keys.start) * self.width / T::NUMBERS
    }

    /// Columns of the whole block, of which only the first may be wanted.
    fn stride(&self, block: &KeyBlock) -> usize {
        let [start, end] = [0, 1].map(|next| self.starts[block.sequence + next]);
        KEY_BLOCK.min(end - start - block.keys.start)
    }
}

vectorized! {
    /// A block of keys and of values, each from its source.
    fn pack<T: Element>(
        block: &Source,
        keys: (&[f32], &mut [T]),
        values: (&[f32], &mut [T]),
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
fn pieces<'a, T: Element>(
    mut all: &'a mut [T],
    blocks: &[Source],
    width: usize,
) -> Vec<&'a mut [T]> {
    let piece = |block: &Source| {
        let elements = block.columns() * width / T::NUMBERS;
        let (piece, rest) = std::mem::take(&mut all).split_at_mut(elements);
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

    /// For each element of a head those of all keys.
    #[inline(always)]
    fn pack_keys<T: Element>(&self, k: &[f32], shape: [usize; 2], packed: &mut [T]) {
        let (columns, elements) = (self.columns(), shape[1] / T::NUMBERS);
        for first in (0..columns).step_by(COLUMNS) {
            // A square at a time: it is read and written in lines.
            for element in (0..elements).step_by(COLUMNS) {
                let mut square = [[T::zeroed(); COLUMNS]; COLUMNS];
                let n = COLUMNS.min(elements - element);
                for key in first..self.n_keys.min(first + COLUMNS) {
                    let row = &self.row(k, shape, key)[T::NUMBERS * element..][..T::NUMBERS * n];
                    for (square, numbers) in square.iter_mut().zip(row.chunks_exact(T::NUMBERS)) {
                        square[key - first] = T::of(numbers);
                    }
                }
                for (index, square) in square[..n].iter().enumerate() {
                    packed[(element + index) * columns + first..][..COLUMNS]
                        .copy_from_slice(square);
                }
            }
        }
    }

    /// For each element's keys all their numbers.
    #[inline(always)]
    fn pack_values<T: Element>(&self, v: &[f32], shape: [usize; 2], packed: &mut [T]) {
        let nothing = vec![0.0; shape[1]];
        let row = |key| if key < self.n_keys { self.row(v, shape, key) } else { &nothing };
        for (index, packed) in packed.chunks_exact_mut(shape[1]).enumerate() {
            let key = T::NUMBERS * index;
            let numbers = row(key).iter().zip(row(key + T::NUMBERS - 1));
            for (packed, (&first, &last)) in packed.iter_mut().zip(numbers) {
                *packed = T::of(&[first, last][..T::NUMBERS]);
            }
        }
    }
}
