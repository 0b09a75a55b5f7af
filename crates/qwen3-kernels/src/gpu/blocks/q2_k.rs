//! `Q2_K`.

use super::q3_k::quarters;
use super::words::{byte, scale};
use super::{Format, Scales};
use cubecl::prelude::*;

pub struct Q2K;

#[cube]
impl Format for Q2K {
    fn scales(words: &Array<u32>, block: usize, index: usize) -> Scales {
        let packed = byte(words, block + index / 16);
        let step = scale(words, block + 80) * f32::cast_from(packed & 15);
        let minimum = scale(words, block + 82) * f32::cast_from(packed >> 4);
        Scales { step, bias: 0.0f32.runtime(), offset: -minimum }
    }

    fn codes(words: &Array<u32>, block: usize, index: usize) -> u32 {
        quarters(words, block + 16, index)
    }
}
