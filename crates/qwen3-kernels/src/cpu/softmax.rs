//! The exponential on the CPU, and the pieces of a running softmax, written so
//! that the compiler vectorises them. NaN and infinity are never swallowed: a bad score gives a bad row.

use std::f32::consts::LOG2_E;

const LANES: usize = 16;

/// The larger of `start` and every value that is not NaN.
#[inline(always)]
pub(crate) fn max(values: &[f32], start: f32) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [start; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder().iter().copied().fold(start, larger);
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, value);
        }
    }
    lanes.into_iter().fold(rest, larger)
}

/// Replaces each value by `exp(value - max)` and returns their sum.
#[inline(always)]
pub(crate) fn exp_in_place(values: &mut [f32], max: f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let mut chunks = values.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *value = exp(*value - max);
            *lane += *value;
        }
    }
    let mut rest = 0.0;
    for value in chunks.into_remainder() {
        *value = exp(*value - max);
        rest += *value;
    }
    lanes.into_iter().sum::<f32>() + rest
}

/// `exp(x)` for `x ≤ 0`, within 2e-7 of the true value; NaN for NaN.
///
/// `exp(x) = 2ⁿ·exp(r)` with `n` the nearest integer to `x/ln 2` and
/// `|r| ≤ ln 2 / 2`, where a polynomial takes over (the coefficients are those
/// of Cephes' `expf`, Moshier 1992).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5·2²³ rounds to the nearest integer, left in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Below, 2ⁿ leaves float32's normal range. Not `max`: it would lose a NaN.
    let x = if x < -87.0 { -87.0 } else { x };
    let rounded = x * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut polynomial = 1.987_569_1e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        polynomial = polynomial * r + coefficient;
    }
    let exp_r = polynomial * r * r + r + 1.0;
    let power = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    exp_r * f32::from_bits(power)
}

/// `x / (1 + exp(-x))`, with the exponential only of negative numbers.
#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    let small = exp(-x.abs());
    x * if x < 0.0 { small } else { 1.0 } / (1.0 + small)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_2e_7_of_float64() {
        let worst = (0..870_000)
            .map(|i| -(i as f32) * 1e-4)
            .map(|x| (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs())
            .fold(0.0, f64::max);
        // Measured 1.2e-7 over this grid.
        assert!(worst < 2e-7, "{worst:e}");
    }

    #[test]
    fn exp_of_very_negative_numbers_is_nothing_and_nan_stays_nan() {
        assert!(exp(-1e30) < 2e-38);
        assert!(exp(f32::NEG_INFINITY) < 2e-38);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn a_bad_score_spoils_the_sum() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut scores = [0.5; 40];
            scores[17] = bad;
            let max = max(&scores, f32::NEG_INFINITY);
            assert!(!exp_in_place(&mut scores, max).is_finite());
        }
    }
}
