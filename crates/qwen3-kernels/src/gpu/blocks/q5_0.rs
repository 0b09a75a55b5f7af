//! `Q5_0`.

use super::q4_0::halves;
use super::words::{scale, spread, word};
use super::{Format, Scales};
use cubecl::prelude::*;

pub struct Q5_0;

#[cube]
impl Format for Q5_0 {
    fn scales(words: &Array<u32>, block: usize, _index: usize) -> Scales {
        Scales { step: scale(words, block), bias: 16.0f32.runtime(), offset: 0.0f32.runtime() }
    }

    fn codes(words: &Array<u32>, block: usize, index: usize) -> u32 {
        with_upper_bits(words, block + 2, index)
    }
}

/// Codes of 5 bits of a block of 32 numbers: their upper bits, then the lower ones.
#[cube]
pub fn with_upper_bits(words: &Array<u32>, first: usize, index: usize) -> u32 {
    let upper = (word(words, first) >> index as u32) & 15;
    halves(words, first + 4, index) | (spread(upper) << 4)
}
