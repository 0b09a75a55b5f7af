//! `F16`: 16-bit IEEE 754.

use super::scale;

pub const NUMBERS: usize = 1;
pub const BYTES: usize = 2;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    *numbers = [scale(block, 0)];
}
