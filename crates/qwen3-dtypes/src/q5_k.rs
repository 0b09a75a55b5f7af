//! `Q5_K`: as `Q4_K`, with 32 bytes before the codes: the bit of a group in the byte of a number
//! is above its code.

use super::q4_k::step_and_minimum;

pub const NUMBERS: usize = 256;
pub const BYTES: usize = 2 + 2 + 12 + 32 + 128;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    let (upper, codes) = (&block[16..48], &block[48..]);
    for (index, number) in numbers.iter_mut().enumerate() {
        let group = index / 32;
        let (step, minimum) = step_and_minimum(block, group);
        let lower = (codes[32 * (group / 2) + index % 32] >> (4 * (group % 2))) & 15;
        let upper = (upper[index % 32] >> group) & 1;
        *number = step * f32::from(upper << 4 | lower) - minimum;
    }
}
