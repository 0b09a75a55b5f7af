//! `Q5_K`.

use super::q4_k::{halves, step_and_minimum};
use super::words::word;
use super::{Format, Scales};
use cubecl::prelude::*;

pub struct Q5K;

#[cube]
impl Format for Q5K {
    fn scales(words: &Array<u32>, block: usize, index: usize) -> Scales {
        step_and_minimum(words, block, index / 32)
    }

    fn codes(words: &Array<u32>, block: usize, index: usize) -> u32 {
        let upper = word(words, block + 16 + index % 32) >> (index / 32) as u32;
        halves(words, block + 48, index) | ((upper & 0x0101_0101) << 4)
    }
}
