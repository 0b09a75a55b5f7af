//! `Q6_K`.

use super::words::{byte, scale, word};
use super::{Format, Scales};
use cubecl::prelude::*;

pub struct Q6K;

#[cube]
impl Format for Q6K {
    fn scales(words: &Array<u32>, block: usize, index: usize) -> Scales {
        // From 0 on instead of from -128.
        let s = f32::cast_from(byte(words, block + 192 + index / 16) ^ 128) - 128.0;
        let step = scale(words, block + 208) * s;
        Scales { step, bias: 32.0f32.runtime(), offset: 0.0f32.runtime() }
    }

    fn codes(words: &Array<u32>, block: usize, index: usize) -> u32 {
        let (half, in_half) = (index / 128, index % 128);
        let lower = word(words, block + 64 * half + in_half % 64) >> (4 * (in_half / 64) as u32);
        let upper = word(words, block + 128 + 32 * half + in_half % 32);
        let upper = upper >> (2 * (in_half / 32) as u32);
        (lower & 0x0f0f_0f0f) | ((upper & 0x0303_0303) << 4)
    }
}
