//! `Q3_K`.

use super::words::{byte, scale, word};
use super::{Format, Scales};
use cubecl::prelude::*;

pub struct Q3K;

#[cube]
impl Format for Q3K {
    fn scales(words: &Array<u32>, block: usize, index: usize) -> Scales {
        let (packed, group) = (block + 96, index / 16);
        let lower = byte(words, packed + group % 8) >> (4 * (group / 8) as u32);
        let upper = byte(words, packed + 8 + group % 4) >> (2 * (group / 4) as u32);
        let s = f32::cast_from((lower & 15) | ((upper & 3) << 4)) - 32.0;
        let step = scale(words, block + 108) * s;
        Scales { step, bias: 4.0f32.runtime(), offset: 0.0f32.runtime() }
    }

    fn codes(words: &Array<u32>, block: usize, index: usize) -> u32 {
        let upper = word(words, block + index % 32) >> (index / 32) as u32;
        quarters(words, block + 32, index) | ((upper & 0x0101_0101) << 2)
    }
}

/// Codes of 2 bits: each 32 bytes have those of 4 groups of 32 numbers.
#[cube]
pub fn quarters(words: &Array<u32>, first: usize, index: usize) -> u32 {
    let (half, in_half) = (index / 128, index % 128);
    let bytes = word(words, first + 32 * half + in_half % 32);
    (bytes >> (2 * (in_half / 32) as u32)) & 0x0303_0303
}
