//! `Q4_K`.

use super::words::{byte, scale, word};
use super::{Format, Scales};
use cubecl::prelude::*;

pub struct Q4K;

#[cube]
impl Format for Q4K {
    fn scales(words: &Array<u32>, block: usize, index: usize) -> Scales {
        step_and_minimum(words, block, index / 32)
    }

    fn codes(words: &Array<u32>, block: usize, index: usize) -> u32 {
        halves(words, block + 16, index)
    }
}

/// Of a group of 32 numbers.
#[cube]
pub fn step_and_minimum(words: &Array<u32>, block: usize, group: usize) -> Scales {
    let packed = block + 4;
    let mut s = byte(words, packed + group % 4);
    let mut m = byte(words, packed + 4 + group % 4);
    if group < 4 {
        s &= 63;
        m &= 63;
    } else {
        let lower = byte(words, packed + 4 + group);
        s = ((s >> 6) << 4) | (lower & 15);
        m = ((m >> 6) << 4) | (lower >> 4);
    }
    let step = scale(words, block) * f32::cast_from(s);
    let minimum = scale(words, block + 2) * f32::cast_from(m);
    Scales { step, bias: 0.0f32.runtime(), offset: -minimum }
}

/// Codes of 4 bits: of each 32 bytes the lower halves, then the upper.
#[cube]
pub fn halves(words: &Array<u32>, first: usize, index: usize) -> u32 {
    let group = index / 32;
    let bytes = word(words, first + 32 * (group / 2) + index % 32);
    (bytes >> (4 * (group % 2) as u32)) & 0x0f0f_0f0f
}
