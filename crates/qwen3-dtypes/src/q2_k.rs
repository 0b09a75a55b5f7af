//! `Q2_K`: for each 16 numbers `s` and `m` of 4 bits, the lower and the upper half of a byte,
//! then codes `q` of 2 bits, placed as in `Q3_K`, and scales `d` and `e`. The number is
//! `d · s · q − e · m`.

use super::q3_k::code;
use super::scale;

pub const NUMBERS: usize = 256;
pub const BYTES: usize = 16 + 64 + 2 + 2;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    let (scales, codes) = (&block[..16], &block[16..80]);
    let (d, e) = (scale(block, 80), scale(block, 82));
    for (index, number) in numbers.iter_mut().enumerate() {
        let (s, m) = (scales[index / 16] & 15, scales[index / 16] >> 4);
        let q = f32::from(code(codes, index));
        *number = d * f32::from(s) * q - e * f32::from(m);
    }
}
