//! `Q5_1`: a scale `d`, a minimum `m`, and codes `q` from 0 to 31, placed as in `Q5_0`. The
//! number is `d · q + m`.

use super::q5_0::code;
use super::scale;

pub const NUMBERS: usize = 32;
pub const BYTES: usize = 2 + 2 + 4 + 16;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    let (d, m) = (scale(block, 0), scale(block, 2));
    for (index, number) in numbers.iter_mut().enumerate() {
        *number = d * f32::from(code(&block[4..], index)) + m;
    }
}
