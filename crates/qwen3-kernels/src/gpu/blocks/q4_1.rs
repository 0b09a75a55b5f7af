//! `Q4_1`.

use super::q4_0::halves;
use super::words::scale;
use super::{Format, Scales};
use cubecl::prelude::*;

pub struct Q4_1;

#[cube]
impl Format for Q4_1 {
    fn scales(words: &Array<u32>, block: usize, _index: usize) -> Scales {
        let (step, offset) = (scale(words, block), scale(words, block + 2));
        Scales { step, bias: 0.0f32.runtime(), offset }
    }

    fn codes(words: &Array<u32>, block: usize, index: usize) -> u32 {
        halves(words, block + 4, index)
    }
}
