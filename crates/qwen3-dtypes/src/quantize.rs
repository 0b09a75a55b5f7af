//! Float32 numbers as blocks: the formats that a model is converted to here.

use super::{Dtype, q4_0, q8_0, scale};

/// A number that no block can hold.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("number {index} is {value}, for which there is no scale in float16")]
pub struct OutOfRange {
    /// Its place among the numbers.
    pub index: usize,
    /// The number.
    pub value: f32,
}

impl Dtype {
    /// Appends the numbers to `blocks`, as ggml rounds them.
    ///
    /// # Errors
    /// If a number is NaN or infinite, or beyond 8.3 million in `Q8_0`, half a million in `Q4_0`.
    ///
    /// # Panics
    /// If the numbers aren't whole blocks, or the dtype is none of these two.
    pub fn quantize(self, numbers: &[f32], blocks: &mut Vec<u8>) -> Result<(), OutOfRange> {
        match self {
            Self::Q8_0 => append(numbers, blocks, q8_0::quantize),
            Self::Q4_0 => append(numbers, blocks, q4_0::quantize),
            other => panic!("nothing is brought into {other} here"),
        }
    }
}

fn append<const BYTES: usize, const NUMBERS: usize>(
    numbers: &[f32],
    blocks: &mut Vec<u8>,
    quantize: fn(&[f32; NUMBERS]) -> [u8; BYTES],
) -> Result<(), OutOfRange> {
    let (chunks, left) = numbers.as_chunks::<NUMBERS>();
    assert!(left.is_empty(), "{} numbers beyond the last block", left.len());
    for (index, chunk) in chunks.iter().enumerate() {
        let block = quantize(chunk);
        let is_lost = |x: &f32| !x.is_finite() || !scale(&block, 0).is_finite();
        // Of finite numbers the largest one needs the scale that there isn't.
        let order = |x: &f32| if x.is_finite() { x.abs() } else { f32::INFINITY };
        let largest = chunk.iter().enumerate();
        let largest = largest.max_by(|(_, a), (_, b)| order(a).total_cmp(&order(b)));
        if let Some((at, &value)) = largest.filter(|(_, x)| is_lost(x)) {
            return Err(OutOfRange { index: NUMBERS * index + at, value });
        }
        blocks.extend(block);
    }
    Ok(())
}
