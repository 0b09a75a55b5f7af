//! `Q4_K`: scales `d` and `e`, then for each of 8 groups of 32 numbers `s` and `m` of 6 bits,
//! and codes `q` from 0 to 15. Of a pair of groups the first has the lower halves of 32 bytes,
//! the second the upper ones. The number is `d · s · q − e · m`.

use super::scale;

pub const NUMBERS: usize = 256;
pub const BYTES: usize = 2 + 2 + 12 + 128;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    let codes = &block[16..];
    for (index, number) in numbers.iter_mut().enumerate() {
        let group = index / 32;
        let (step, minimum) = step_and_minimum(block, group);
        let q = (codes[32 * (group / 2) + index % 32] >> (4 * (group % 2))) & 15;
        *number = step * f32::from(q) - minimum;
    }
}

/// `d · s` and `e · m` of a group, of the 16 bytes with which a block begins. Of the 12 bytes
/// of `s` and `m`, the first four have `s` of the groups 0 to 3 in their lower 6 bits, the next
/// four `m` of them. The last four have the lower 4 bits of `s` and of `m` of the groups 4 to
/// 7, whose upper bits are the two that were left.
pub fn step_and_minimum(block: &[u8], group: usize) -> (f32, f32) {
    let packed = &block[4..16];
    let (s, m) = match group {
        0..4 => (packed[group] & 63, packed[4 + group] & 63),
        _ => {
            let (s_upper, m_upper) = (packed[group - 4] >> 6, packed[group] >> 6);
            let lower = packed[4 + group];
            (s_upper << 4 | lower & 15, m_upper << 4 | lower >> 4)
        }
    };
    (scale(block, 0) * f32::from(s), scale(block, 2) * f32::from(m))
}
