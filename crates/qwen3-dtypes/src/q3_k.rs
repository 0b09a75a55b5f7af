//! `Q3_K`: 32 bytes of upper bits, 64 bytes of lower ones, for each 16 numbers 6 bits `s`, and
//! a scale `d`. The upper bit of a number is that of its group of 32 in the byte of its place
//! in it; without it the code `q` of 2 bits is lowered by 4. The number is `d · (s − 32) · q`.

use super::scale;

pub const NUMBERS: usize = 256;
pub const BYTES: usize = 32 + 64 + 12 + 2;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    let (upper, lower, packed) = (&block[..32], &block[32..96], &block[96..108]);
    let d = scale(block, 108);
    for (index, number) in numbers.iter_mut().enumerate() {
        let has_upper = (upper[index % 32] >> (index / 32)) & 1 == 1;
        let q = f32::from(code(lower, index)) - if has_upper { 0.0 } else { 4.0 };
        *number = d * (f32::from(packed_scale(packed, index / 16)) - 32.0) * q;
    }
}

/// The code of 2 bits of a number: each 32 bytes have those of 4 groups of 32 numbers.
pub fn code(codes: &[u8], index: usize) -> u8 {
    let (half, in_half) = (index / 128, index % 128);
    (codes[32 * half + in_half % 32] >> (2 * (in_half / 32))) & 3
}

/// The lower 4 bits of 16 scales are the halves of 8 bytes, their upper 2 bits the quarters of
/// 4 bytes.
fn packed_scale(packed: &[u8], index: usize) -> u8 {
    let lower = (packed[index % 8] >> (4 * (index / 8))) & 15;
    let upper = (packed[8 + index % 4] >> (2 * (index / 4))) & 3;
    upper << 4 | lower
}
