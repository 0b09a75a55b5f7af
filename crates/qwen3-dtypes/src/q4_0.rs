//! `Q4_0`: a scale `d`, and 32 codes `q` from 0 to 15: those of the first 16 numbers are the
//! lower halves of 16 bytes, the others the upper ones. The number is `d · (q − 8)`.

use super::scale;

pub const NUMBERS: usize = 32;
pub const BYTES: usize = 2 + 16;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    let d = scale(block, 0);
    for (index, number) in numbers.iter_mut().enumerate() {
        let q = (block[2 + index % 16] >> (4 * (index / 16))) & 15;
        *number = d * (f32::from(q) - 8.0);
    }
}

/// The nearest block: the number farthest from zero is -8 (`quantize_row_q4_0_ref` of ggml).
pub fn quantize(numbers: &[f32; NUMBERS]) -> [u8; BYTES] {
    // The first of them, as there.
    let farthest =
        numbers.iter().fold(0.0, |far: f32, &x| if x.abs() > far.abs() { x } else { far });
    let d = farthest / -8.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let code = |x: f32| ((x * inverse + 8.5) as u8).min(15);
    let mut block = [0; BYTES];
    block[..2].copy_from_slice(&half::f16::from_f32(d).to_le_bytes());
    for (index, q) in block[2..].iter_mut().enumerate() {
        *q = code(numbers[index]) | code(numbers[16 + index]) << 4;
    }
    block
}
