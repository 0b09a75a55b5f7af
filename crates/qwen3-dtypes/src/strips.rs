//! Matrices in blocks whose rows lie side by side, as products in 8 bits take them.
//!
//! A block of 32 numbers is a scale and some words of four bytes of codes. [`ROWS`] rows of a
//! matrix are stored together, block column after block column:
//!
//! ```text
//!   for each 16 of the rows, for each word of a block: that word of each of them
//!   for each of the rows: its scale
//! ```
//!
//! In `q8_0` a word is four codes, each 128 too large here, so that none has a sign; in `q4_0`
//! it is four codes in the lower halves of its bytes and the four that are 16 numbers further on
//! in the upper ones. A matrix takes as many bytes as row after row.

use crate::Dtype;

/// Rows that are stored together.
pub const ROWS: usize = 32;
/// Rows of a register.
const STRIP: usize = 16;
const WORD: usize = 4;
const SCALE: usize = 2;

/// In which order the blocks of a matrix are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Row after row.
    Rows,
    /// See [`crate::strips`].
    Strips,
}

impl Layout {
    /// As files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Strips => "strips",
        }
    }

    /// Whether a matrix, `[rows, columns]`, in a dtype can be stored so.
    pub fn takes(self, dtype: Dtype, [rows, _]: [usize; 2]) -> bool {
        match self {
            Self::Rows => true,
            Self::Strips => matches!(dtype, Dtype::Q8_0 | Dtype::Q4_0) && rows.is_multiple_of(ROWS),
        }
    }
}

/// The blocks of a matrix, row after row, as strips.
///
/// # Panics
/// If strips don't take it, or there are more bytes or fewer.
pub fn of_rows(dtype: Dtype, shape: [usize; 2], blocks: &[u8]) -> Vec<u8> {
    relaid(dtype, shape, blocks, Layout::Strips)
}

/// The blocks of a matrix, as strips, row after row.
///
/// # Panics
/// As [`of_rows`].
pub fn to_rows(dtype: Dtype, shape: [usize; 2], blocks: &[u8]) -> Vec<u8> {
    relaid(dtype, shape, blocks, Layout::Rows)
}

/// From the other layout.
fn relaid(dtype: Dtype, shape: [usize; 2], blocks: &[u8], to: Layout) -> Vec<u8> {
    assert!(Layout::Strips.takes(dtype, shape), "{shape:?} in {dtype}");
    assert_eq!(blocks.len(), dtype.bytes_of(shape[0] * shape[1]), "bytes of {shape:?}");
    let mut relaid = vec![0; blocks.len()];
    let row_bytes = dtype.bytes_of(shape[1]);
    let all = (ROWS * row_bytes).max(1);
    for (blocks, relaid) in blocks.chunks(all).zip(relaid.chunks_mut(all)) {
        for row in 0..ROWS {
            for column in 0..row_bytes / dtype.block_bytes() {
                move_block(dtype, (blocks, relaid), [row, column], to);
            }
        }
    }
    relaid
}

/// One block of the rows that are stored together.
fn move_block(
    dtype: Dtype,
    (blocks, relaid): (&[u8], &mut [u8]),
    [row, column]: [usize; 2],
    to: Layout,
) {
    let (block_bytes, row_bytes) = (dtype.block_bytes(), blocks.len() / ROWS);
    let words = (block_bytes - SCALE) / WORD;
    let in_rows = row * row_bytes + column * block_bytes;
    let in_strips = column * ROWS * block_bytes;
    let ends = |in_rows, in_strips| match to {
        Layout::Strips => (in_rows, in_strips),
        Layout::Rows => (in_strips, in_rows),
    };
    let (from, at) = ends(in_rows, in_strips + WORD * words * ROWS + SCALE * row);
    relaid[at..][..SCALE].copy_from_slice(&blocks[from..][..SCALE]);
    // Of codes with a sign in two's complement, 128 more is the other upper bit.
    let sign = if dtype == Dtype::Q8_0 { [0x80; WORD] } else { [0; WORD] };
    for word in 0..words {
        let strip = (row / STRIP * words + word) * STRIP + row % STRIP;
        let (from, at) = ends(in_rows + SCALE + WORD * word, in_strips + WORD * strip);
        let codes: [u8; WORD] = *blocks[from..].first_chunk().expect("a word");
        let codes = u32::from_ne_bytes(codes) ^ u32::from_ne_bytes(sign);
        relaid[at..][..WORD].copy_from_slice(&codes.to_ne_bytes());
    }
}
