//! How far numbers are from those that they should be.

use serde::Serialize;

/// Found numbers against expected ones. Not finite where numbers are missing
/// or not finite themselves, so that no bound holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Largest absolute difference.
    pub max_abs: f64,
    /// The same in units of the expected numbers' root mean square.
    pub max_rel: f64,
    /// Mean absolute difference.
    pub mean_abs: f64,
    /// Cosine of the angle between the two.
    pub cosine: f64,
}

impl Difference {
    /// Of two lists of the same length.
    pub fn between(expected: &[f32], found: &[f32]) -> Self {
        if expected.len() != found.len() {
            return Self::INCOMPARABLE;
        }
        let mut max_abs: f64 = 0.0;
        let mut sum_abs = 0.0;
        let (mut dot, mut left, mut right) = (0.0, 0.0, 0.0);
        for (&expected, &found) in expected.iter().zip(found) {
            let (expected, found) = (f64::from(expected), f64::from(found));
            let difference = (expected - found).abs();
            if !difference.is_finite() {
                return Self::INCOMPARABLE;
            }
            max_abs = max_abs.max(difference);
            sum_abs += difference;
            dot += expected * found;
            left += expected * expected;
            right += found * found;
        }
        let n = expected.len().max(1) as f64;
        let rms = (left / n).sqrt();
        let is_same = max_abs == 0.0;
        Self {
            max_abs,
            max_rel: if is_same { 0.0 } else { max_abs / rms },
            mean_abs: sum_abs / n,
            cosine: if is_same { 1.0 } else { dot / (left * right).sqrt() },
        }
    }

    /// Of two lists of token ids, which are the same or are not.
    pub fn between_ids(expected: &[u32], found: &[u32]) -> Self {
        if expected == found { Self::between(&[], &[]) } else { Self::INCOMPARABLE }
    }

    /// Of one number, whose sign is its direction.
    pub fn of_number(expected: f64, found: f64) -> Self {
        let max_abs = (expected - found).abs();
        if !max_abs.is_finite() {
            return Self::INCOMPARABLE;
        }
        let max_rel = if max_abs == 0.0 { 0.0 } else { max_abs / expected.abs() };
        let cosine = if expected * found < 0.0 { -1.0 } else { 1.0 };
        Self { max_abs, max_rel, mean_abs: max_abs, cosine }
    }

    /// The worst of each number of two.
    pub fn or_worse(self, other: Self) -> Self {
        Self {
            max_abs: self.max_abs.max(other.max_abs),
            max_rel: self.max_rel.max(other.max_rel),
            mean_abs: self.mean_abs.max(other.mean_abs),
            cosine: self.cosine.min(other.cosine),
        }
    }

    const INCOMPARABLE: Self = Self {
        max_abs: f64::INFINITY,
        max_rel: f64::INFINITY,
        mean_abs: f64::INFINITY,
        cosine: -1.0,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_worked_out_by_hand() {
        let found = Difference::between(&[3.0, 4.0], &[3.0, 3.0]);
        assert_eq!((found.max_abs, found.mean_abs), (1.0, 0.5));
        assert!((found.max_rel - 1.0 / 12.5f64.sqrt()).abs() < 1e-12);
        assert!((found.cosine - 21.0 / (5.0 * 18f64.sqrt())).abs() < 1e-12);
        assert_eq!(Difference::between(&[0.0], &[0.0]).max_rel, 0.0);
    }

    #[test]
    fn what_can_not_be_compared_is_within_no_bound() {
        for (expected, found) in [
            (vec![1.0], vec![f32::NAN]),
            (vec![f32::INFINITY], vec![f32::INFINITY]),
            (vec![1.0], vec![1.0, 2.0]),
            (vec![1.0], vec![]),
            (vec![0.0], vec![1.0]),
        ] {
            let difference = Difference::between(&expected, &found);
            assert_eq!(difference.max_rel, f64::INFINITY, "{expected:?} {found:?}");
        }
        assert_eq!(Difference::between_ids(&[1], &[1, 2]).max_abs, f64::INFINITY);
        assert_eq!(Difference::of_number(1.0, f64::NAN).max_abs, f64::INFINITY);
    }
}
