//! `Q5_1`.

use super::q5_0::with_upper_bits;
use super::words::scale;
use super::{Format, Scales};
use cubecl::prelude::*;

pub struct Q5_1;

#[cube]
impl Format for Q5_1 {
    fn scales(words: &Array<u32>, block: usize, _index: usize) -> Scales {
        let (step, offset) = (scale(words, block), scale(words, block + 2));
        Scales { step, bias: 0.0f32.runtime(), offset }
    }

    fn codes(words: &Array<u32>, block: usize, index: usize) -> u32 {
        with_upper_bits(words, block + 4, index)
    }
}
