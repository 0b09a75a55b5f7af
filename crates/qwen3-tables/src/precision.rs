//! Vectors in fewer bits, as sentence-transformers defines them (`quantize_embeddings`).

use crate::error::TableError;
use crate::npy;
use arrow_array::types::{Float16Type, Float32Type, Int8Type, UInt8Type};
use arrow_array::{ArrayRef, FixedSizeListArray, PrimitiveArray};
use arrow_schema::{DataType, Field};
use half::f16;
use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// How a number of a vector is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 4 bytes.
    #[default]
    Float32,
    /// 2 bytes.
    Float16,
    /// A byte, of a range's 256 steps, from -128.
    Int8,
    /// A byte, of a range's 256 steps, from 0.
    Uint8,
    /// A bit, 1 above 0, eight in a byte, the first one highest; the byte less 128.
    Binary,
    /// A bit, 1 above 0, eight in a byte, the first one highest.
    Ubinary,
}

/// Names in the order of [`Precision`].
const PRECISIONS: [(&str, Precision); 6] = [
    ("float32", Precision::Float32),
    ("float16", Precision::Float16),
    ("int8", Precision::Int8),
    ("uint8", Precision::Uint8),
    ("binary", Precision::Binary),
    ("ubinary", Precision::Ubinary),
];

impl FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = PRECISIONS.iter().find(|(known, _)| *known == name);
        let names = PRECISIONS.map(|(known, _)| known).join(", ");
        found.map(|(_, it)| *it).ok_or_else(|| format!("it is one of {names}"))
    }
}

/// The least and the greatest number of each dimension, which bytes divide into 256 steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranges {
    /// The least numbers, then the greatest.
    numbers: Vec<f32>,
}

impl Ranges {
    /// Of vectors of this width, one after the other.
    pub fn of(vectors: &[f32], width: usize) -> Self {
        let mut numbers = [vec![f32::INFINITY; width], vec![f32::NEG_INFINITY; width]].concat();
        for vector in vectors.chunks_exact(width) {
            for (at, &number) in vector.iter().enumerate() {
                numbers[at] = numbers[at].min(number);
                numbers[width + at] = numbers[width + at].max(number);
            }
        }
        Self { numbers }
    }

    /// Reads `.npy`, float32 `[2, dimensions]`, of which each range has two ends.
    ///
    /// # Errors
    /// If the file can't be read, is another one, or a range has no width.
    pub fn read(path: &Path, dimensions: usize) -> Result<Self, TableError> {
        let ranges = Self::kept(path, dimensions)?;
        let ends = |at| (ranges.numbers[at], ranges.numbers[dimensions + at]);
        let wrong = (0..dimensions).find(|&at| {
            let (least, greatest) = ends(at);
            !(least < greatest && (greatest - least).is_finite())
        });
        let Some(dimension) = wrong else { return Ok(ranges) };
        let (least, greatest) = ends(dimension);
        Err(TableError::BadRange { path: path.to_owned(), dimension, least, greatest })
    }

    /// Reads what [`Ranges::of`] gave, where the vectors may have been few or equal.
    pub(crate) fn kept(path: &Path, dimensions: usize) -> Result<Self, TableError> {
        let bytes = fs::read(path).map_err(TableError::read(path))?;
        let numbers = npy::float32(&bytes, 2, dimensions);
        let no_ranges = || TableError::NoRanges { path: path.to_owned(), dimensions };
        Ok(Self { numbers: numbers.ok_or_else(no_ranges)? })
    }

    /// What tells these ranges from others.
    pub fn digest(&self) -> String {
        format!("{:016x}", xxh3_64(&self.to_npy()))
    }

    /// The bytes of such a file.
    pub fn to_npy(&self) -> Vec<u8> {
        let mut file = npy::header("<f4", 2, self.numbers.len() / 2);
        file.extend(self.numbers.iter().flat_map(|number| number.to_le_bytes()));
        file
    }

    /// The step of a number, 0 to 255. Numbers outside of the range get its ends, where
    /// sentence-transformers leaves the result to the processor.
    fn step(&self, dimension: usize, number: f32) -> u8 {
        let (start, end) =
            (self.numbers[dimension], self.numbers[self.numbers.len() / 2 + dimension]);
        // A dimension that never changes has no steps.
        let step = (number - start) / ((end - start) / 255.0);
        step as u8
    }
}

impl Precision {
    /// Whether numbers are steps of a range.
    pub fn needs_ranges(self) -> bool {
        matches!(self, Self::Int8 | Self::Uint8)
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        PRECISIONS[self as usize].0
    }

    /// The type of a column of vectors with so many dimensions.
    pub fn data_type(self, dimensions: usize) -> DataType {
        let (number, width) = match self {
            Self::Float32 => (DataType::Float32, dimensions),
            Self::Float16 => (DataType::Float16, dimensions),
            Self::Int8 => (DataType::Int8, dimensions),
            Self::Uint8 => (DataType::UInt8, dimensions),
            Self::Binary => (DataType::Int8, dimensions.div_ceil(8)),
            Self::Ubinary => (DataType::UInt8, dimensions.div_ceil(8)),
        };
        DataType::FixedSizeList(Arc::new(Field::new("item", number, false)), width as i32)
    }

    /// A column of vectors, given one after the other. `ranges` are looked at for bytes only.
    ///
    /// # Panics
    /// If bytes are asked for without ranges.
    pub fn column(self, vectors: &[f32], dimensions: usize, ranges: Option<&Ranges>) -> ArrayRef {
        let vectors_of_bits = || vectors.chunks_exact(dimensions).flat_map(bits);
        let steps = || {
            let ranges = ranges.expect("bytes have ranges");
            let dimensions_of = (0..dimensions).cycle();
            vectors.iter().zip(dimensions_of).map(|(&number, at)| ranges.step(at, number))
        };
        let signed = |byte: u8| (i16::from(byte) - 128) as i8;
        let values: ArrayRef = match self {
            Self::Float32 => {
                Arc::new(PrimitiveArray::<Float32Type>::from_iter_values(vectors.iter().copied()))
            }
            Self::Float16 => Arc::new(PrimitiveArray::<Float16Type>::from_iter_values(
                vectors.iter().map(|&number| f16::from_f32(number)),
            )),
            Self::Int8 => {
                Arc::new(PrimitiveArray::<Int8Type>::from_iter_values(steps().map(signed)))
            }
            Self::Uint8 => Arc::new(PrimitiveArray::<UInt8Type>::from_iter_values(steps())),
            Self::Binary => Arc::new(PrimitiveArray::<Int8Type>::from_iter_values(
                vectors_of_bits().map(signed),
            )),
            Self::Ubinary => {
                Arc::new(PrimitiveArray::<UInt8Type>::from_iter_values(vectors_of_bits()))
            }
        };
        let DataType::FixedSizeList(item, width) = self.data_type(dimensions) else {
            unreachable!("a column of vectors is a list")
        };
        Arc::new(FixedSizeListArray::new(item, width, values, None))
    }
}

/// Eight numbers a byte, as `numpy.packbits` packs whether they are above 0.
fn bits(vector: &[f32]) -> impl Iterator<Item = u8> {
    let byte = |eight: &[f32]| {
        let bits = eight.iter().enumerate();
        bits.fold(0, |byte, (at, &number)| byte | (u8::from(number > 0.0) << (7 - at)))
    };
    vector.chunks(8).map(byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;

    #[test]
    fn names_stand_in_the_order_of_their_precisions() {
        for (name, precision) in PRECISIONS {
            assert_eq!((precision.name(), name.parse()), (name, Ok(precision)));
        }
        let refused = "int4".parse::<Precision>().unwrap_err();
        assert_eq!(refused, "it is one of float32, float16, int8, uint8, binary, ubinary");
    }

    /// By sentence-transformers 6.2.0: `quantize_embeddings(vectors, precision, ranges=ranges)`
    /// with the vectors and ranges below.
    #[test]
    fn numbers_are_those_of_sentence_transformers() {
        let vectors = [0.5_f32, -0.25, 0.0, 1.0, -1.0, 0.125, 0.75, -0.5, 0.3, 1e-9];
        let vectors = [vectors, vectors.map(|number| -number / 2.0)].concat();
        let mut numbers = vec![-1.0_f32; 10];
        numbers.extend([1.0; 10]);
        let ranges = Ranges { numbers };
        let column = |precision: Precision| {
            let column = precision.column(&vectors, 10, Some(&ranges));
            Arc::clone(column.as_fixed_size_list().values())
        };
        let bytes = |precision| column(precision).as_primitive::<UInt8Type>().values().to_vec();
        let signed = |precision| column(precision).as_primitive::<Int8Type>().values().to_vec();
        let steps = [
            191, 95, 127, 254, 0, 143, 223, 63, 165, 127, 95, 143, 127, 63, 191, 119, 79, 159, 108,
            127,
        ];
        assert_eq!(bytes(Precision::Uint8), steps);
        assert_eq!(signed(Precision::Int8), steps.map(|step: u8| (i16::from(step) - 128) as i8));
        assert_eq!(bytes(Precision::Ubinary), [0b1001_0110, 0b1100_0000, 0b0100_1001, 0]);
        assert_eq!(signed(Precision::Binary), [22, 64, -55, -128]);
        let halves = column(Precision::Float16);
        assert_eq!(halves.as_primitive::<Float16Type>().value(8), f16::from_f32(0.3));
    }

    #[test]
    fn ranges_go_through_a_file() {
        let ranges = Ranges::of(&[1.0, -2.0, 3.0, 0.5], 2);
        assert_eq!(ranges.numbers, [1.0, -2.0, 3.0, 0.5]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ranges.npy");
        fs::write(&path, ranges.to_npy()).unwrap();
        assert_eq!(Ranges::read(&path, 2).unwrap(), ranges);
        let error = Ranges::read(&path, 3).unwrap_err().to_string();
        assert!(error.contains("[2, 3]"), "{error}");
    }

    #[test]
    fn a_range_without_width_is_refused_unless_it_was_found_by_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ranges.npy");
        for (least, greatest) in [
            (0.5, 0.5),
            (1.0, -1.0),
            (f32::NEG_INFINITY, 1.0),
            (0.0, f32::INFINITY),
            (f32::NAN, 1.0),
            (f32::MIN, f32::MAX),
        ] {
            let ranges = Ranges { numbers: vec![-1.0, least, 1.0, greatest] };
            fs::write(&path, ranges.to_npy()).unwrap();
            let error = Ranges::read(&path, 2).unwrap_err();
            assert!(matches!(error, TableError::BadRange { dimension: 1, .. }), "{error}");
            assert_eq!(Ranges::kept(&path, 2).unwrap().to_npy(), ranges.to_npy());
        }
    }
}
