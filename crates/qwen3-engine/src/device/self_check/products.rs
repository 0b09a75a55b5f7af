//! Products whose result is known: of whole numbers to the last bit, of blocks nearly.

use crate::error::Error;
use qwen3::random::Random;
use qwen3::{Dtype, Factors};

/// Rows, inputs and outputs. Drivers were seen to go wrong from 500 rows on, from
/// the second tile of columns on, and where the inputs are an odd number of
/// stages: 544 are that in stages of 32, 64 and 128, and 528 in stages of 16,
/// the last one partly filled. One row and thousands take different kernels.
const SHAPES: [[usize; 3]; 3] = [[1, 544, 384], [1057, 528, 400], [1024, 544, 384]];

/// A product, what it is, and how far each number may be off.
pub(super) struct Product {
    factors: Factors,
    /// `[rows, outputs]`
    expected: Vec<f32>,
    /// Of each output.
    tolerance: Vec<f32>,
}

impl Product {
    /// Those that a device must get right in a dtype.
    pub fn all(dtype: Dtype) -> Vec<Self> {
        SHAPES.into_iter().map(|shape| Self::new(shape, dtype)).collect()
    }

    fn new([rows, inputs, outputs]: [usize; 3], dtype: Dtype) -> Self {
        let inputs = inputs.next_multiple_of(dtype.block_len());
        let mut random = Random::new(11);
        // Of 1 and -1 every row has the same root mean square, 1, and codes without an error.
        let x = (0..rows * inputs).map(|_| 2.0 * random.below(2) as f32 - 1.0).collect();
        let (weight, blocks, off) = match dtype.is_blocks() {
            // So small that every sum is exact, in whatever order and dtype.
            false => (whole_numbers(outputs * inputs, &mut random), None, 0.0),
            // Rounded to bfloat16 once they are widened, a number is off by a 256th at most.
            true => {
                let (blocks, weight) = blocks(outputs * inputs, dtype, &mut random);
                (weight, Some(blocks), 1.0 / 256.0)
            }
        };
        let tolerance = weight.chunks(inputs);
        let sum = |column: &[f32]| column.iter().map(|w| w.abs()).sum::<f32>();
        let tolerance = tolerance.map(|column| 0.25 + off * sum(column)).collect();
        let factors = Factors { x, weight, blocks, inputs };
        Self { expected: product(&factors), factors, tolerance }
    }

    /// # Errors
    /// What is wrong with the result that `multiply` gives.
    pub fn check(
        &self,
        multiply: impl Fn(&Factors) -> Result<Vec<f32>, Error>,
    ) -> Result<(), String> {
        let found = multiply(&self.factors).map_err(|error| error.to_string())?;
        if found.len() != self.expected.len() {
            let expected = self.expected.len();
            return Err(format!("a product has {} numbers, not {expected}", found.len()));
        }
        let outputs = self.tolerance.len();
        // NaN isn't.
        let is_right = |index: usize| {
            (found[index] - self.expected[index]).abs() <= self.tolerance[index % outputs]
        };
        let mut wrong = (0..found.len()).filter(|&index| !is_right(index));
        let Some(first) = wrong.next() else { return Ok(()) };
        let (row, column) = (first / outputs, first % outputs);
        Err(format!(
            "a product of {} × {} × {} is wrong in {} of {} numbers, first in row {row}, column {column}: {} for {}",
            found.len() / outputs,
            self.factors.inputs,
            outputs,
            1 + wrong.count(),
            found.len(),
            found[first],
            self.expected[first],
        ))
    }
}

fn whole_numbers(n: usize, random: &mut Random) -> Vec<f32> {
    (0..n).map(|_| random.below(7) as f32 - 3.0).collect()
}

/// Blocks of random bytes whose numbers are neither tiny nor large, and these numbers.
fn blocks(n: usize, dtype: Dtype, random: &mut Random) -> (Vec<u8>, Vec<f32>) {
    let (mut blocks, mut numbers) = (vec![], vec![]);
    let mut block = vec![0; dtype.block_bytes()];
    let mut widened = vec![0.0f32; dtype.block_len()];
    while numbers.len() < n {
        block.fill_with(|| random.below(256) as u8);
        dtype.widen(&block, &mut widened);
        let largest = widened.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
        if (0.5..8.0).contains(&largest) && widened.iter().all(|x| x.is_finite()) {
            blocks.extend(&block);
            numbers.extend(&widened);
        }
    }
    (blocks, numbers)
}

/// `x · weightᵀ`, whose numbers are 1 and -1.
fn product(factors: &Factors) -> Vec<f32> {
    let Factors { x, weight, inputs, .. } = factors;
    let dot = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let rows = x.chunks(*inputs);
    rows.flat_map(|row| weight.chunks(*inputs).map(move |column| dot((row, column)))).collect()
}
