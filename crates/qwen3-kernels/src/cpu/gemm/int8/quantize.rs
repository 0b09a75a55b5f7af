//! The left side of a product in 8 bits.

use super::{NUMBERS, ROWS};
use crate::cpu::buffers::Buffer;
use crate::cpu::isa::Isa;
use crate::cpu::vectorized::vectorized;
use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;
use std::ops::Range;

/// 32 numbers of a row: `scale · codes`, to the nearest.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct QuantizedBlock {
    /// From -127 to 127.
    pub codes: [i8; NUMBERS],
    /// NaN if a number is not finite.
    pub scale: f32,
    /// -128 times the sum of the codes: where sums with weights begin that are 128 too large.
    start: i32,
    /// The same of the first 16 codes alone.
    first_start: i32,
    /// The sum of the numbers, `scale · Σ codes`.
    pub sum: f32,
}

impl QuantizedBlock {
    /// Where sums of a part, of one or two, begin with weights that are `OFFSET` too large.
    // Only kernels for x86-64 have such weights.
    #[cfg_attr(not(any(test, target_arch = "x86_64")), expect(dead_code))]
    #[inline(always)]
    pub fn start<const OFFSET: i32>(&self, part: usize, parts: usize) -> i32 {
        let start = match (part, parts) {
            (_, 1) => self.start,
            (0, _) => self.first_start,
            _ => self.start - self.first_start,
        };
        (start >> 7) * OFFSET
    }
}

/// `x`, `[m, k]`, in tiles of [`ROWS`] rows, of each of which a block follows on one of the
/// row before: those of a tile are read from one place on.
pub(super) struct QuantizedX {
    shape: [usize; 2],
    blocks: Buffer,
}

impl QuantizedX {
    /// Rounds in parallel.
    ///
    /// # Panics
    /// If `x` is not of its shape, or rows are no whole blocks.
    pub fn new(isa: Isa, [m, k]: [usize; 2], x: &[f32]) -> Self {
        assert!(k.is_multiple_of(NUMBERS) && m * k == x.len(), "x is not [{m}, {k}]");
        let n = x.len() / NUMBERS;
        let mut blocks = Buffer::new(n * size_of::<QuantizedBlock>());
        let tile = (ROWS * k).max(NUMBERS);
        let tiles = blocks.as_mut_slice::<QuantizedBlock>(n).par_chunks_mut(tile / NUMBERS);
        tiles.zip(x.par_chunks(tile)).for_each(|(blocks, x)| quantize(isa, x, k, blocks));
        Self { shape: [m, k], blocks }
    }

    /// Numbers of a row.
    pub fn k(&self) -> usize {
        self.shape[1]
    }

    /// Some blocks of the tile from row `first` on, which has `M` rows.
    ///
    /// # Panics
    /// If there is no such tile, or it is of other rows.
    #[inline(always)]
    pub fn tile<const M: usize>(
        &self,
        first: usize,
        blocks: Range<usize>,
    ) -> &[[QuantizedBlock; M]] {
        let [m, k] = self.shape;
        let is_tile = first.is_multiple_of(ROWS) && M == ROWS.min(m - first);
        assert!(is_tile, "{M} rows from {first} on, of {m}");
        let (n, all) = (k / NUMBERS, self.blocks.as_slice::<QuantizedBlock>(m * k / NUMBERS));
        let (tile, _) = all[first * n..][..M * n].as_chunks();
        &tile[blocks]
    }
}

vectorized! {
    /// A tile, of rows of `k` numbers.
    fn quantize(x: &[f32], k: usize, blocks: &mut [QuantizedBlock]) {
        let rows = x.len() / k;
        for (at, x) in x.as_chunks::<NUMBERS>().0.iter().enumerate() {
            let [row, column] = [at / (k / NUMBERS), at % (k / NUMBERS)];
            let block = &mut blocks[column * rows + row];
            // The bits of numbers without a sign are in the order of the numbers, NaN last.
            let largest = x.iter().fold(0, |largest, x| x.abs().to_bits().max(largest));
            let largest = f32::from_bits(largest);
            let scale = largest / 127.0;
            // Of denormal scales some have no inverse: such numbers are as good as zero.
            let is_nothing = scale < f32::MIN_POSITIVE;
            let inverse = if is_nothing { 0.0 } else { 1.0 / scale };
            let mut sums = [0; 2];
            for (half, sum) in sums.iter_mut().enumerate() {
                let all = half * NUMBERS / 2..(half + 1) * NUMBERS / 2;
                for (code, &x) in block.codes[all.clone()].iter_mut().zip(&x[all]) {
                    let nearest = nearest(x * inverse);
                    *code = nearest as i8;
                    *sum += nearest;
                }
            }
            let sum = sums[0] + sums[1];
            let is_finite = largest < f32::INFINITY;
            block.scale = if is_nothing { 0.0 } else { scale };
            if !is_finite {
                block.scale = f32::NAN;
            }
            block.start = -128 * sum;
            block.first_start = -128 * sums[0];
            block.sum = block.scale * sum as f32;
        }
    }
}

/// The nearest whole number, ties to even, as which one of up to 127 (and any other as
/// any number of 8 bits) is in the lowest bits of this sum.
#[inline(always)]
fn nearest(x: f32) -> i32 {
    const ROUND: f32 = 12_582_912.0;
    i32::from((x + ROUND).to_bits() as i8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_are_the_nearest(n in 1usize..9, exponent in -44i32..38, seed: u64) {
            let numbers = random(n * NUMBERS, seed);
            let x: Vec<f32> = numbers.iter().map(|x| x * 10f32.powi(exponent)).collect();
            for isa in Isa::available() {
                let quantized = QuantizedX::new(isa, [n, NUMBERS], &x);
                let blocks = quantized.blocks.as_slice::<QuantizedBlock>(n);
                for (block, x) in blocks.iter().zip(x.chunks(NUMBERS)) {
                    let largest = x.iter().fold(0f32, |largest, x| largest.max(x.abs()));
                    let scale = if largest / 127.0 < f32::MIN_POSITIVE { 0.0 } else { largest / 127.0 };
                    prop_assert_eq!(block.scale, scale);
                    let sum: i32 = block.codes.iter().map(|&code| i32::from(code)).sum();
                    prop_assert_eq!(block.start::<128>(0, 1), -128 * sum);
                    let halves = [0, 1].map(|half| block.start::<32>(half, 2));
                    prop_assert_eq!(halves[0] + halves[1], -32 * sum);
                    let first: i32 = block.codes[..16].iter().map(|&code| i32::from(code)).sum();
                    prop_assert_eq!(halves[0], -32 * first);
                    prop_assert_eq!(block.sum, scale * sum as f32);
                    for (&code, &x) in block.codes.iter().zip(x) {
                        let off = f64::from(x) - f64::from(scale) * f64::from(code);
                        // A half of a step, and the rounding of its inverse; or all of it.
                        let most = 0.50002 * f64::from(scale).max(254.0 * f64::from(f32::MIN_POSITIVE));
                        prop_assert!(off.abs() <= most, "{isa}: {x} as {code} of {scale}");
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_that_are_not_finite_spoil_their_block_alone() {
        for (isa, bad) in Isa::available().into_iter().flat_map(|isa| {
            [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(|bad| (isa, bad))
        }) {
            let mut x = random(3 * NUMBERS, 1);
            x[NUMBERS + 5] = bad;
            let quantized = QuantizedX::new(isa, [1, 3 * NUMBERS], &x);
            let [[first], [second], [third]] = quantized.tile(0, 0..3) else { panic!("3 blocks") };
            let are_nan = [first, second, third].map(|block| block.scale.is_nan());
            assert_eq!(are_nan, [false, true, false]);
        }
    }
}
