//! `Q8_0`.

use super::words::{scale, word};
use super::{Format, Scales};
use cubecl::prelude::*;

pub struct Q8_0;

#[cube]
impl Format for Q8_0 {
    fn scales(words: &Array<u32>, block: usize, _index: usize) -> Scales {
        Scales { step: scale(words, block), bias: 128.0f32.runtime(), offset: 0.0f32.runtime() }
    }

    fn codes(words: &Array<u32>, block: usize, index: usize) -> u32 {
        // From 0 on instead of from -128.
        word(words, block + 2 + index) ^ 0x8080_8080u32
    }
}
