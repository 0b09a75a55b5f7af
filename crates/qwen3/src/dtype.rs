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

/// The little-endian bytes of a tensor in another dtype; blocks are words of 32 bits, and
/// have no other shape than how many there are.
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
    } else if from.is_blocks() {
        let mut numbers = vec![0.0; shape.iter().product()];
        from.widen(bytes, &mut numbers);
        return match to {
            Dtype::F32 => Ok(TensorData::new(numbers, shape.to_vec())),
            to => convert(bytemuck::cast_slice(&numbers), Dtype::F32, shape, to),
        };
    } else if to.is_blocks() {
        let mut blocks = Vec::with_capacity(to.bytes_of(shape.iter().product()));
        for bytes in bytes.chunks(QUANTIZED_AT_ONCE * from.block_bytes()) {
            let mut numbers = vec![0.0; bytes.len() / from.block_bytes()];
            from.widen(bytes, &mut numbers);
            to.quantize(&numbers, &mut blocks).map_err(|lost| lost.value)?;
        }
        return Ok(words(blocks));
    }
    convert_numbers(bytes, from, shape, to)
}

/// Whole blocks of every dtype.
const QUANTIZED_AT_ONCE: usize = 16 * 1024;

/// Blocks as words, the last one filled up.
fn words(mut blocks: Vec<u8>) -> TensorData {
    blocks.resize(blocks.len().next_multiple_of(4), 0);
    let words: Vec<u32> =
        blocks.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    let n = words.len();
    TensorData::new(words, [n])
}

/// [`convert`] of numbers to numbers.
///
/// # Errors
/// As [`convert`].
fn convert_numbers(
    bytes: &[u8],
    from: Dtype,
    shape: &[usize],
    to: Dtype,
) -> Result<TensorData, f32> {
    let f32s = || bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let f16s = || bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]));
    let bf16s = || bytes.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]]));
    fn data<E: Element>(values: impl Iterator<Item = E>, shape: &[usize]) -> TensorData {
        TensorData::new(values.collect::<Vec<E>>(), shape.to_vec())
    }
    Ok(match (from, to) {
        (Dtype::F32, Dtype::F32) => data(f32s(), shape),
        (Dtype::F16, Dtype::F16) => data(f16s(), shape),
        (Dtype::Bf16, Dtype::Bf16) => data(bf16s(), shape),
        (Dtype::F16, Dtype::F32) => data(f16s().map(f16::to_f32), shape),
        (Dtype::Bf16, Dtype::F32) => data(bf16s().map(bf16::to_f32), shape),
        (Dtype::F32, Dtype::Bf16) => {
            let values = narrow(f32s(), bf16::from_f32, bf16::is_infinite)?;
            data(values.into_iter(), shape)
        }
        // The largest float16 is far inside of bfloat16's range.
        (Dtype::F16, Dtype::Bf16) => data(f16s().map(|x| bf16::from_f32(x.to_f32())), shape),
        (Dtype::F32, Dtype::F16) => {
            let values = narrow(f32s(), f16::from_f32, f16::is_infinite)?;
            data(values.into_iter(), shape)
        }
        (Dtype::Bf16, Dtype::F16) => {
            let values = bf16s().map(bf16::to_f32);
            let values = narrow(values, f16::from_f32, f16::is_infinite)?;
            data(values.into_iter(), shape)
        }
        (from, to) => unreachable!("{from} or {to} are blocks"),
    })
}

/// Numbers in 16 bits.
///
/// # Errors
/// One that was finite and would become infinite.
fn narrow<E: Copy>(
    values: impl Iterator<Item = f32>,
    round: impl Fn(f32) -> E,
    is_infinite: impl Fn(E) -> bool,
) -> Result<Vec<E>, f32> {
    let mut lost = None;
    let narrowed = values
        .map(|value| {
            let narrowed = round(value);
            if is_infinite(narrowed) && value.is_finite() {
                lost = Some(value);
            }
            narrowed
        })
        .collect();
    match lost {
        Some(value) => Err(value),
        None => Ok(narrowed),
    }
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
