//! How numbers are stored, and how one format becomes another.

use burn::tensor::{DType, Element, TensorData, bf16, f16};
use std::fmt;

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32-bit IEEE 754.
    F32,
    /// 16-bit IEEE 754: largest value 65,504.
    F16,
    /// The upper half of a float32.
    Bf16,
}

/// As options and flags call it: `f32`, `f16` or `bf16`.
impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

impl Dtype {
    /// Bytes of one number.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Burn's name of it.
    pub fn burn(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }
}

/// The little-endian bytes of a tensor as numbers of another dtype.
///
/// # Errors
/// A number that was finite and would become infinite.
pub(crate) fn convert(
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
