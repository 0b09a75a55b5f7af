//! Bytes of an array of words.

use super::float16;
use cubecl::prelude::*;

/// The byte at `at`.
#[cube]
pub fn byte(words: &Array<u32>, at: usize) -> u32 {
    (words[at / 4] >> (8 * (at % 4) as u32)) & 255
}

/// Four bytes from an even one on, the first in the lowest bits.
#[cube]
pub fn word(words: &Array<u32>, at: usize) -> u32 {
    let mut word = words[at / 4];
    if at % 4 == 2 {
        word = (word >> 16) | (words[at / 4 + 1] << 16);
    }
    word
}

/// The float16 number at an even byte.
#[cube]
pub fn scale(words: &Array<u32>, at: usize) -> f32 {
    float16::widened((words[at / 4] >> (8 * (at % 4) as u32)) & 0xffff)
}

/// The lowest four bits of a number, each the lowest bit of a byte.
#[cube]
pub fn spread(bits: u32) -> u32 {
    (bits | (bits << 7) | (bits << 14) | (bits << 21)) & 0x0101_0101
}
