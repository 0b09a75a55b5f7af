//! `BF16`: the upper half of a float32.

pub const NUMBERS: usize = 1;
pub const BYTES: usize = 2;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    *numbers = [f32::from_le_bytes([0, 0, block[0], block[1]])];
}
