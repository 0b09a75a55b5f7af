//! How one dtype becomes another, and what Burn calls it.

use burn::tensor::{DType, Element, TensorData, bf16, f16};
use qwen3_dtypes::Dtype;

/// Burn's name of a dtype of numbers, and of the words that hold blocks.
pub fn burn_dtype(dtype: Dtype) -> DType {
    match dtype {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::Bf16 => DType::BF16,
        _ => DType::U32,
    }
}

/// Blocks that are widened at one time.
const AT_ONCE: usize = 16 * 1024;

/// The little-endian bytes of a tensor in another dtype, by way of float32; blocks are words of
/// 32 bits, and have no other shape than how many there are.
///
/// # Errors
/// A number that was finite and would become infinite.
///
/// # Panics
/// If rows are no whole blocks, or nothing is brought into the dtype here
/// ([`Dtype::is_written`]).
pub(crate) fn convert(
    bytes: &[u8],
    from: Dtype,
    shape: &[usize],
    to: Dtype,
) -> Result<TensorData, f32> {
    if from == to && from.is_blocks() {
        return Ok(words(bytes.to_vec()));
    }
    let n = shape.iter().product();
    match to {
        Dtype::F32 => {
            let mut numbers = vec![0.0; n];
            from.widen(bytes, &mut numbers);
            Ok(TensorData::new(numbers, shape.to_vec()))
        }
        Dtype::F16 => narrow(bytes, from, shape, f16::from_f32),
        Dtype::Bf16 => narrow(bytes, from, shape, bf16::from_f32),
        to => {
            let mut blocks = Vec::with_capacity(to.bytes_of(n));
            widened(bytes, from, |numbers| {
                to.quantize(numbers, &mut blocks).map_err(|lost| lost.value)
            })?;
            Ok(words(blocks))
        }
    }
}

/// Gives `take` the numbers, some whole blocks of every dtype at a time.
fn widened(
    bytes: &[u8],
    from: Dtype,
    mut take: impl FnMut(&[f32]) -> Result<(), f32>,
) -> Result<(), f32> {
    let mut numbers = vec![0.0; AT_ONCE * from.block_len()];
    bytes.chunks(AT_ONCE * from.block_bytes()).try_for_each(|blocks| {
        let numbers = &mut numbers[..blocks.len() / from.block_bytes() * from.block_len()];
        from.widen(blocks, numbers);
        take(numbers)
    })
}

/// Blocks as words, the last one filled up.
pub(crate) fn words(mut blocks: Vec<u8>) -> TensorData {
    blocks.resize(blocks.len().next_multiple_of(4), 0);
    let words: Vec<u32> =
        blocks.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    let n = words.len();
    TensorData::new(words, [n])
}

/// [`convert`] to numbers in 16 bits.
///
/// # Errors
/// As [`convert`].
fn narrow<E: Element>(
    bytes: &[u8],
    from: Dtype,
    shape: &[usize],
    round: fn(f32) -> E,
) -> Result<TensorData, f32> {
    let mut narrowed = Vec::with_capacity(shape.iter().product());
    widened(bytes, from, |numbers| {
        let first = narrowed.len();
        narrowed.extend(numbers.iter().map(|&number| round(number)));
        let mut pairs = numbers.iter().zip(&narrowed[first..]);
        let lost =
            pairs.find(|(number, narrowed)| number.is_finite() && narrowed.to_f32().is_infinite());
        lost.map_or(Ok(()), |(&number, _)| Err(number))
    })?;
    Ok(TensorData::new(narrowed, shape.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_blocks_and_numbers_again() {
        let numbers: Vec<f32> = (0..3 * 64).map(|i| (i as f32 * 0.7).sin()).collect();
        let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        for (dtype, step) in [(Dtype::Q8_0, 1.0 / 250.0), (Dtype::Q4_0, 1.0 / 7.5)] {
            let blocks = convert(&bytes, Dtype::F32, &[3, 64], dtype).unwrap();
            assert_eq!(blocks.as_bytes().len(), dtype.bytes_of(3 * 64).next_multiple_of(4));
            let same = convert(blocks.as_bytes(), dtype, &[3, 64], dtype).unwrap();
            assert_eq!(same, blocks);
            let blocks = &blocks.as_bytes()[..dtype.bytes_of(3 * 64)];
            for to in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
                let found = convert(blocks, dtype, &[3, 64], to).unwrap();
                assert_eq!(found.shape[..], [3, 64]);
                let found = found.convert::<f32>().into_vec::<f32>().unwrap();
                let near = |(a, b): (&f32, &f32)| (a - b).abs() <= step * 1.02 + 0.004;
                assert!(found.iter().zip(&numbers).all(near), "{dtype} {to}");
            }
        }
        let lost = [0x7f7f_ffffu32, 0, 0, 0].map(u32::to_le_bytes).concat().repeat(8);
        assert_eq!(convert(&lost, Dtype::F32, &[32], Dtype::Q8_0).unwrap_err(), f32::MAX);
    }

    #[test]
    fn a_finite_number_never_becomes_infinite() {
        let bytes = |value: f32| value.to_le_bytes();
        for (value, to) in
            [(f32::MAX, Dtype::Bf16), (f32::MIN, Dtype::Bf16), (65_520.0, Dtype::F16)]
        {
            assert_eq!(convert(&bytes(value), Dtype::F32, &[1], to).unwrap_err(), value);
        }
        let largest = bf16::MAX.to_f32();
        for value in [largest, -largest, f32::INFINITY, f32::NAN] {
            assert!(convert(&bytes(value), Dtype::F32, &[1], Dtype::Bf16).is_ok(), "{value}");
        }
    }
}
