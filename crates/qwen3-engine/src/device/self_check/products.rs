//! Products whose result is known to the last bit.

use crate::error::Error;
use qwen3::Factors;
use qwen3::random::Random;

/// Rows, inputs and outputs. Drivers were seen to go wrong from 500 rows on, from
/// the second tile of columns on, and where the inputs are an odd number of
/// stages: 544 are that in stages of 32, 64 and 128, and 528 in stages of 16,
/// the last one partly filled. One row and thousands take different kernels.
const SHAPES: [[usize; 3]; 3] = [[1, 544, 384], [1057, 528, 400], [1024, 544, 384]];

/// A product of whole numbers so small that every sum is exact, in whatever
/// order and dtype: each number of the result is right or wrong.
pub(super) struct WholeNumbers {
    factors: Factors,
    expected: Vec<i32>,
    outputs: usize,
}

impl WholeNumbers {
    pub fn all() -> Vec<Self> {
        SHAPES.into_iter().map(Self::new).collect()
    }

    fn new([rows, inputs, outputs]: [usize; 3]) -> Self {
        let mut random = Random::new(11);
        // Of 1 and -1 every row has the same root mean square, 1.
        let x: Vec<i16> = (0..rows * inputs).map(|_| 2 * (random.below(2) as i16) - 1).collect();
        let weight: Vec<i16> = (0..outputs * inputs).map(|_| random.below(7) as i16 - 3).collect();
        let dot = |(a, b): (&[i16], &[i16])| -> i32 {
            a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
        };
        let expected = x
            .chunks(inputs)
            .flat_map(|row| weight.chunks(inputs).map(move |column| dot((row, column))));
        let expected = expected.collect();
        let floats = |numbers: Vec<i16>| numbers.into_iter().map(f32::from).collect();
        let factors = Factors { x: floats(x), weight: floats(weight), inputs };
        Self { factors, expected, outputs }
    }

    /// # Errors
    /// What is wrong with the result that `multiply` gives.
    pub fn check(
        &self,
        multiply: impl Fn(&Factors) -> Result<Vec<f32>, Error>,
    ) -> Result<(), String> {
        let found = multiply(&self.factors).map_err(|error| error.to_string())?;
        if found.len() != self.expected.len() {
            return Err(format!(
                "a product has {} numbers, not {}",
                found.len(),
                self.expected.len()
            ));
        }
        // NaN isn't.
        let is_right = |index: usize| (found[index] - self.expected[index] as f32).abs() <= 0.25;
        let mut wrong = (0..found.len()).filter(|&index| !is_right(index));
        let Some(first) = wrong.next() else { return Ok(()) };
        let (row, column) = (first / self.outputs, first % self.outputs);
        Err(format!(
            "a product of {} × {} × {} is wrong in {} of {} numbers, first in row {row}, column {column}: {} for {}",
            found.len() / self.outputs,
            self.factors.inputs,
            self.outputs,
            1 + wrong.count(),
            found.len(),
            found[first],
            self.expected[first],
        ))
    }
}
