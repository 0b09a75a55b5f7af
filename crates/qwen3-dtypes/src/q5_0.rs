//! `Q5_0`: a scale `d`, 32 bits, and 32 codes of 4 bits, placed as in `Q4_0`. With its bit above
//! it a code is `q` from 0 to 31; the number is `d · (q − 16)`.

use super::scale;

pub const NUMBERS: usize = 32;
pub const BYTES: usize = 2 + 4 + 16;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    let d = scale(block, 0);
    for (index, number) in numbers.iter_mut().enumerate() {
        *number = d * (f32::from(code(&block[2..], index)) - 16.0);
    }
}

/// The code of a number, from 0 to 31: of 4 bytes of upper bits and 16 of lower ones.
pub fn code(bits_and_codes: &[u8], index: usize) -> u8 {
    let lower = (bits_and_codes[4 + index % 16] >> (4 * (index / 16))) & 15;
    let upper = (bits_and_codes[index / 8] >> (index % 8)) & 1;
    upper << 4 | lower
}
