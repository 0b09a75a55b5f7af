//! `Q4_0`.

use super::words::{scale, word};
use super::{Format, Scales};
use cubecl::prelude::*;

pub struct Q4_0;

#[cube]
impl Format for Q4_0 {
    fn scales(words: &Array<u32>, block: usize, _index: usize) -> Scales {
        Scales { step: scale(words, block), bias: 8.0f32.runtime(), offset: 0.0f32.runtime() }
    }

    fn codes(words: &Array<u32>, block: usize, index: usize) -> u32 {
        halves(words, block + 2, index)
    }
}

/// Codes of 4 bits of a block of 32 numbers: of its 16 bytes the lower halves, then the upper.
#[cube]
pub fn halves(words: &Array<u32>, first: usize, index: usize) -> u32 {
    (word(words, first + index % 16) >> (4 * (index / 16) as u32)) & 0x0f0f_0f0f
}
