//! `Q6_K`: for each half of 128 numbers 64 bytes of lower codes, then 32 bytes of upper ones;
//! then for each 16 numbers a whole number `s` from -128 to 127, and a scale `d`. The lower 4
//! bits of a code `q` are a half of a byte, the upper 2 bits a quarter of one. The number is
//! `d · s · (q − 32)`.

use super::scale;

pub const NUMBERS: usize = 256;
pub const BYTES: usize = 128 + 64 + 16 + 2;

pub fn widen(block: &[u8; BYTES], numbers: &mut [f32; NUMBERS]) {
    let (lower, upper, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let d = scale(block, 208);
    for (index, number) in numbers.iter_mut().enumerate() {
        let (half, in_half) = (index / 128, index % 128);
        let lower = (lower[64 * half + in_half % 64] >> (4 * (in_half / 64))) & 15;
        let upper = (upper[32 * half + in_half % 32] >> (2 * (in_half / 32))) & 3;
        let q = f32::from(upper << 4 | lower) - 32.0;
        *number = d * f32::from(scales[index / 16] as i8) * q;
    }
}
