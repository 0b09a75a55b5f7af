//! Pearson's and Spearman's correlation, as SciPy computes them.

use crate::Error;
use crate::error::{all_finite, at_least, same_count};

/// Pearson's correlation of two lists.
///
/// # Errors
/// If the lists have other lengths or fewer than two numbers, a number isn't finite, or all of
/// one list are the same.
pub fn pearson(x: &[f64], y: &[f64]) -> Result<f64, Error> {
    let (x, y) = (unit(x, "first scores")?, unit(y, "second scores")?);
    same_count("second scores", y.len(), x.len())?;
    let product: f64 = x.iter().zip(&y).map(|(a, b)| a * b).sum();
    Ok(product.clamp(-1.0, 1.0))
}

/// Spearman's correlation: Pearson's of the ranks, where equal numbers share their average rank.
///
/// # Errors
/// As [`pearson`].
pub fn spearman(x: &[f64], y: &[f64]) -> Result<f64, Error> {
    all_finite("first scores", x)?;
    all_finite("second scores", y)?;
    pearson(&average_ranks(x), &average_ranks(y))
}

/// Ranks from 1; equal numbers share the average of theirs.
pub(crate) fn average_ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut before = 0;
    // `==` and not the order of bits, in which -0 stands before 0.
    for tied in order.chunk_by(|&a, &b| numbers[a] == numbers[b]) {
        let rank = before as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|&i| ranks[i] = rank);
        before += tied.len();
    }
    ranks
}

/// Checks that something can correlate with these.
pub(crate) fn check_differ(what: &'static str, numbers: &[f64]) -> Result<(), Error> {
    unit(numbers, what).map(drop)
}

/// The distances from the mean, scaled to length 1.
fn unit(numbers: &[f64], what: &'static str) -> Result<Vec<f64>, Error> {
    at_least(what, numbers.len(), 2)?;
    all_finite(what, numbers)?;
    if numbers.iter().all(|number| *number == numbers[0]) {
        return Err(Error::Constant { what });
    }
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let largest = numbers.iter().fold(0.0_f64, |max, number| max.max((number - mean).abs()));
    let scaled: Vec<f64> = numbers.iter().map(|number| (number - mean) / largest).collect();
    let norm = scaled.iter().map(|number| number * number).sum::<f64>().sqrt();
    if !norm.is_finite() || norm == 0.0 {
        return Err(Error::Constant { what });
    }
    Ok(scaled.iter().map(|number| number / norm).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_share_their_average_rank() {
        assert_eq!(average_ranks(&[2.0, 1.0, 2.0, -0.0, 0.0]), [4.5, 3.0, 4.5, 1.5, 1.5]);
    }

    #[test]
    fn numbers_that_overflow_when_squared_correlate() {
        let huge = [1e300, -1e300, 5e299];
        assert!((pearson(&huge, &[2.0, -2.0, 1.0]).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_has_no_correlation_is_an_error() {
        let constant = pearson(&[1.0, 1.0], &[1.0, 2.0]);
        assert!(matches!(constant, Err(Error::Constant { what: "first scores" })));
        let nan = spearman(&[1.0, 2.0], &[f64::NAN, 2.0]);
        assert!(matches!(nan, Err(Error::NotFinite { what: "second scores", row: 0 })));
        assert!(matches!(pearson(&[1.0], &[1.0]), Err(Error::TooFew { .. })));
        assert!(matches!(pearson(&[1.0, 2.0], &[1.0, 2.0, 3.0]), Err(Error::Count { .. })));
    }
}
