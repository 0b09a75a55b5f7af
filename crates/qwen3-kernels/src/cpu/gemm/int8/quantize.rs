//! The left side of a product in 8 bits.

use super::NUMBERS;
use crate::cpu::buffers::Buffer;
use crate::cpu::isa::Isa;
use crate::cpu::vectorized::vectorized;
use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

/// 32 numbers of a row: `scale · codes`, to the nearest.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct QuantizedBlock {
    /// From -127 to 127.
    pub codes: [i8; NUMBERS],
    /// NaN if a number is not finite.
    pub scale: f32,
    /// -128 times the sum of the codes: where sums with weights begin that are 128 too large.
    pub start: i32,
}

/// `x`, `[m, k]`, row after row.
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
        const TASK: usize = 256;
        assert!(k.is_multiple_of(NUMBERS) && m * k == x.len(), "x is not [{m}, {k}]");
        let n = x.len() / NUMBERS;
        let mut blocks = Buffer::new(n * size_of::<QuantizedBlock>());
        let chunks = blocks.as_mut_slice::<QuantizedBlock>(n).par_chunks_mut(TASK);
        chunks.zip(x.par_chunks(TASK * NUMBERS)).for_each(|(blocks, x)| quantize(isa, x, blocks));
        Self { shape: [m, k], blocks }
    }

    /// Numbers of a row.
    pub fn k(&self) -> usize {
        self.shape[1]
    }

    /// Some rows from `first` on.
    ///
    /// # Panics
    /// If there are fewer.
    #[inline(always)]
    pub fn rows<const M: usize>(&self, first: usize) -> [&[QuantizedBlock]; M] {
        let [m, k] = self.shape;
        let (n, blocks) = (k / NUMBERS, self.blocks.as_slice(m * k / NUMBERS));
        std::array::from_fn(|row| &blocks[(first + row) * n..][..n])
    }
}

vectorized! {
    fn quantize(x: &[f32], blocks: &mut [QuantizedBlock]) {
        for (x, block) in x.as_chunks::<NUMBERS>().0.iter().zip(blocks) {
            // The bits of numbers without a sign are in the order of the numbers, NaN last.
            let largest = x.iter().fold(0, |largest, x| x.abs().to_bits().max(largest));
            let largest = f32::from_bits(largest);
            let scale = largest / 127.0;
            // Of denormal scales some have no inverse: such numbers are as good as zero.
            let is_nothing = scale < f32::MIN_POSITIVE;
            let inverse = if is_nothing { 0.0 } else { 1.0 / scale };
            let mut sum = 0;
            for (code, &x) in block.codes.iter_mut().zip(x) {
                let nearest = nearest(x * inverse);
                *code = nearest as i8;
                sum += nearest;
            }
            let is_finite = largest < f32::INFINITY;
            block.scale = if is_nothing { 0.0 } else { scale };
            if !is_finite {
                block.scale = f32::NAN;
            }
            block.start = -128 * sum;
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
                for (row, x) in x.chunks(NUMBERS).enumerate() {
                    let [&[block]] = quantized.rows(row) else { panic!("one block") };
                    let largest = x.iter().fold(0f32, |largest, x| largest.max(x.abs()));
                    let scale = if largest / 127.0 < f32::MIN_POSITIVE { 0.0 } else { largest / 127.0 };
                    prop_assert_eq!(block.scale, scale);
                    let sum: i32 = block.codes.iter().map(|&code| i32::from(code)).sum();
                    prop_assert_eq!(block.start, -128 * sum);
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
            let [blocks] = quantized.rows(0);
            assert_eq!([0, 1, 2].map(|block| blocks[block].scale.is_nan()), [false, true, false]);
        }
    }
}
