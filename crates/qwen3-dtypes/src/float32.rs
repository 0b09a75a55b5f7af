//! `F32`: 32-bit IEEE 754.

pub const NUMBERS: usize = 1;
pub const BYTES: usize = 4;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    *numbers = [f32::from_le_bytes(*block)];
}
