//! `Q4_1`: a scale `d`, a minimum `m`, and 32 codes `q` from 0 to 15, placed as in `Q4_0`. The
//! number is `d · q + m`.

use super::scale;

pub const NUMBERS: usize = 32;
pub const BYTES: usize = 2 + 2 + 16;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    let (d, m) = (scale(block, 0), scale(block, 2));
    for (index, number) in numbers.iter_mut().enumerate() {
        let q = (block[4 + index % 16] >> (4 * (index / 16))) & 15;
        *number = d * f32::from(q) + m;
    }
}
