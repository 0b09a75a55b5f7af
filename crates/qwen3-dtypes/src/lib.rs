//! How weights are stored: a table of dtypes, and a file for each.
//!
//! Those of 16 and 32 bits are numbers. The others are blocks: a row of a matrix is a whole
//! number of blocks of [`Dtype::block_len`] numbers, and a block has codes of a
//! few bits, one or two scales as float16, and in the K dtypes a scale of 4 to 8 bits for
//! each 16 or 32 numbers. All of it is little-endian. The layouts are those of `ggml-common.h`,
//! the products those of ggml's `dequantize_row_*` in float32, in the same order.
//!
//! Here everything is plain and exact. What is fast is compared with it.

mod bfloat16;
mod float16;
mod float32;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod quantize;
pub mod strips;

pub use quantize::OutOfRange;
use std::fmt;
pub use strips::Layout;

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "ggml calls them so")]
pub enum Dtype {
    /// 32-bit IEEE 754.
    F32,
    /// 16-bit IEEE 754.
    F16,
    /// The upper half of a float32.
    Bf16,
    /// 8 bits, a scale for 32 numbers.
    Q8_0,
    /// 6 bits, 8 bits of scale for 16 numbers.
    Q6_K,
    /// 5 bits, 6 bits of scale and of minimum for 32 numbers.
    Q5_K,
    /// 4 bits, 6 bits of scale and of minimum for 32 numbers.
    Q4_K,
    /// 3 bits, 6 bits of scale for 16 numbers.
    Q3_K,
    /// 2 bits, 4 bits of scale and of minimum for 16 numbers.
    Q2_K,
    /// 5 bits, a scale for 32 numbers.
    Q5_0,
    /// 5 bits, a scale and a minimum for 32 numbers.
    Q5_1,
    /// 4 bits, a scale for 32 numbers.
    Q4_0,
    /// 4 bits, a scale and a minimum for 32 numbers.
    Q4_1,
}

/// What is known of a dtype.
struct Row {
    dtype: Dtype,
    /// ggml's, `enum ggml_type`.
    number: u32,
    name: &'static str,
    block_len: usize,
    block_bytes: usize,
    widen: fn(&[u8], &mut [f32]),
}

macro_rules! row {
    ($dtype:ident, $name:literal, $number:literal, $module:ident) => {
        Row {
            dtype: Dtype::$dtype,
            number: $number,
            name: $name,
            block_len: $module::NUMBERS,
            block_bytes: $module::BYTES,
            widen: |blocks, numbers| each(blocks, numbers, $module::widen),
        }
    };
}

/// In the order of [`Dtype`].
const TABLE: [Row; 13] = [
    row!(F32, "f32", 0, float32),
    row!(F16, "f16", 1, float16),
    row!(Bf16, "bf16", 30, bfloat16),
    row!(Q8_0, "q8_0", 8, q8_0),
    row!(Q6_K, "q6_k", 14, q6_k),
    row!(Q5_K, "q5_k", 13, q5_k),
    row!(Q4_K, "q4_k", 12, q4_k),
    row!(Q3_K, "q3_k", 11, q3_k),
    row!(Q2_K, "q2_k", 10, q2_k),
    row!(Q5_0, "q5_0", 6, q5_0),
    row!(Q5_1, "q5_1", 7, q5_1),
    row!(Q4_0, "q4_0", 2, q4_0),
    row!(Q4_1, "q4_1", 3, q4_1),
];

/// Those that are not read, by ggml's number.
const UNREAD: [(u32, &str); 22] = [
    (9, "Q8_1"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (31, "Q4_0_4_4"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
    (41, "Q1_0"),
];

impl Dtype {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.dtype)
    }

    /// As options call it, such as `q8_0`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The one of this name, whatever its case.
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.dtype)
    }

    /// Whether numbers share scales, so that none stands alone.
    pub fn is_blocks(self) -> bool {
        self.block_len() > 1
    }

    /// Whether numbers can be brought into it here: ggml's own way of choosing the scales of the
    /// others takes long.
    pub fn is_written(self) -> bool {
        !self.is_blocks() || matches!(self, Self::Q8_0 | Self::Q4_0)
    }

    /// Bytes of so many numbers of whole blocks.
    pub fn bytes_of(self, numbers: usize) -> usize {
        numbers / self.block_len() * self.block_bytes()
    }

    /// Bits that a number takes, with its share of the scales.
    pub fn bits(self) -> f64 {
        8.0 * self.block_bytes() as f64 / self.block_len() as f64
    }

    /// By ggml's number for it.
    pub fn from_number(number: u32) -> Option<Self> {
        TABLE.iter().find(|row| row.number == number).map(|row| row.dtype)
    }

    /// Numbers of a block.
    pub fn block_len(self) -> usize {
        self.row().block_len
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        self.row().block_bytes
    }

    /// The numbers of some blocks.
    ///
    /// # Shapes
    /// `blocks` are `n` of [`Dtype::block_bytes`], `numbers` are `n` of [`Dtype::block_len`].
    ///
    /// # Panics
    /// If they aren't.
    pub fn widen(self, blocks: &[u8], numbers: &mut [f32]) {
        (self.row().widen)(blocks, numbers);
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// As options call it, such as `q8_0`.
impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the dtype of ggml's number is called, which may be one that is not read.
pub fn name_of_number(number: u32) -> String {
    let known = UNREAD.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("ggml's type {number}"), |(_, name)| (*name).to_owned())
}

fn each<const BYTES: usize, const NUMBERS: usize>(
    blocks: &[u8],
    numbers: &mut [f32],
    widen: fn(&[u8; BYTES], &mut [f32; NUMBERS]),
) {
    let (blocks, bytes_left) = blocks.as_chunks();
    let (numbers, numbers_left) = numbers.as_chunks_mut();
    let (n_bytes_left, n_left) = (bytes_left.len(), numbers_left.len());
    assert_eq!((n_bytes_left, n_left), (0, 0), "bytes and numbers beyond the last block");
    assert_eq!(blocks.len(), numbers.len(), "blocks of bytes and of numbers");
    blocks.iter().zip(numbers).for_each(|(block, numbers)| widen(block, numbers));
}

/// The float16 number at `at`.
fn scale(block: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}
