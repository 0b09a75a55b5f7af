//! Float16 on devices that may not have it.

use cubecl::prelude::*;

/// The float32 number that is equal to the float16 number of these 16 bits.
#[cube]
pub fn widened(bits: u32) -> f32 {
    let (exponent, fraction) = ((bits >> 10) & 31, bits & 1023);
    // The exponents' biases are 15 and 127.
    let mut wide = ((exponent + 112) << 23) | (fraction << 13);
    if exponent == 31 {
        // Infinite or NaN.
        wide = 0x7f80_0000 | (fraction << 13);
    }
    let mut magnitude = f32::reinterpret(wide);
    if exponent == 0 {
        // Subnormal: of steps of 2^-24.
        magnitude = f32::cast_from(fraction) * 5.960_464_5e-8;
    }
    select(bits >= 0x8000, -magnitude, magnitude)
}
