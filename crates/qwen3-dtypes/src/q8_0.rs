//! `Q8_0`: a scale `d`, and 32 whole numbers `q` from -128 to 127. The number is `q · d`.

use super::scale;

pub const NUMBERS: usize = 32;
pub const BYTES: usize = 2 + 32;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    let d = scale(block, 0);
    for (number, &q) in numbers.iter_mut().zip(&block[2..]) {
        *number = f32::from(q as i8) * d;
    }
}

/// The nearest block: the largest number is ±127 (`quantize_row_q8_0_ref` of ggml).
pub fn quantize(numbers: &[f32; NUMBERS]) -> [u8; BYTES] {
    let largest = numbers.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    let d = largest / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let mut block = [0; BYTES];
    block[..2].copy_from_slice(&half::f16::from_f32(d).to_le_bytes());
    for (q, x) in block[2..].iter_mut().zip(numbers) {
        // Half of a step is rounded away from zero.
        *q = (x * inverse).round() as i8 as u8;
    }
    block
}
