//! Is one setting better than another, or was it chance?

use crate::Error;
use crate::error::{all_finite, at_least, same_count};
use crate::random::{RandomState, SEED};
use rayon::prelude::*;
use serde::Serialize;

/// Two settings compared query by query, or row by row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The mean of the second less that of the first.
    pub mean_difference: f64,
    /// How often chance alone makes a difference as large, in either direction.
    pub p_value: f64,
    /// How many swaps were tried.
    pub rounds: usize,
    /// Whether these were all that there are.
    pub is_exact: bool,
}

/// The paired randomisation test of Fisher, two-sided (Smucker, Allan and Carterette 2007): if both
/// settings were the same, the scores of each query could as well be swapped. All swaps are tried if they
/// are no more than `rounds`, else that many random ones, always the same.
///
/// # Errors
/// If the lists have other lengths or nothing in them, a score isn't finite, or `rounds` is 0.
pub fn randomization_test(
    first: &[f64],
    second: &[f64],
    rounds: usize,
) -> Result<Comparison, Error> {
    same_count("scores of the second setting", second.len(), first.len())?;
    at_least("scores", first.len(), 1)?;
    at_least("rounds", rounds, 1)?;
    all_finite("score", first)?;
    all_finite("score", second)?;
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| b - a).collect();
    let sum: f64 = differences.iter().sum();
    // Sums of the same numbers in another order differ in their last bits.
    let least =
        sum.abs() - 1e-12 * differences.iter().map(|difference| difference.abs()).sum::<f64>();
    let is_as_large = |sum: f64| sum.abs() >= least;
    let all = 1_usize.checked_shl(differences.len() as u32).filter(|all| *all <= rounds);
    let p_value = match all {
        Some(all) => {
            let swapped = |signs: usize| signed(&differences, |at| signs >> at & 1 == 1);
            (0..all).filter(|signs| is_as_large(swapped(*signs))).count() as f64 / all as f64
        }
        None => {
            let mut random = RandomState::new(SEED);
            let mut swapped = || signed(&differences, |_| random.uniform() < 0.5);
            let large = (0..rounds).filter(|_| is_as_large(swapped())).count();
            // What was seen counts as one of the swaps, so that no p is 0.
            (large + 1) as f64 / (rounds + 1) as f64
        }
    };
    Ok(Comparison {
        mean_difference: sum / differences.len() as f64,
        p_value,
        rounds: all.unwrap_or(rounds),
        is_exact: all.is_some(),
    })
}

/// The paired bootstrap of Efron, two-sided: rows are drawn with replacement, as many as there are, and
/// the difference of both settings on them is looked at, in `rounds` samples that are always the
/// same. A sample on which it can't be computed is left out.
///
/// # Errors
/// If there is no row, `rounds` is 0, or the difference can't be computed on the rows
/// themselves.
pub fn bootstrap_test(
    rows: usize,
    rounds: usize,
    difference: impl Fn(&[usize]) -> Option<f64> + Sync,
) -> Result<Comparison, Error> {
    at_least("rows", rows, 1)?;
    at_least("rounds", rounds, 1)?;
    let observed = difference(&(0..rows).collect::<Vec<_>>());
    let mean_difference = observed.filter(|number| number.is_finite());
    let mean_difference = mean_difference.ok_or(Error::NotFinite { what: "difference", row: 0 })?;
    let sample = |round: usize| {
        let mut random = RandomState::new(SEED.wrapping_add(round as u32));
        let mut row = || ((random.uniform() * rows as f64) as usize).min(rows - 1);
        let sample: Vec<usize> = (0..rows).map(|_| row()).collect();
        difference(&sample)
    };
    let of_samples: Vec<f64> = (0..rounds).into_par_iter().filter_map(sample).collect();
    let count = |is_so: fn(&f64) -> bool| of_samples.iter().filter(|d| is_so(d)).count();
    let fewer = count(|d| *d <= 0.0).min(count(|d| *d >= 0.0));
    let p_value = 2.0 * (fewer + 1) as f64 / (of_samples.len() + 1) as f64;
    Ok(Comparison {
        mean_difference,
        p_value: p_value.min(1.0),
        rounds: of_samples.len(),
        is_exact: false,
    })
}

fn signed(differences: &[f64], mut is_swapped: impl FnMut(usize) -> bool) -> f64 {
    let sign =
        |(at, difference): (usize, &f64)| if is_swapped(at) { -difference } else { *difference };
    differences.iter().enumerate().map(sign).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_scores_are_swapped_in_every_way() {
        // Of 8 ways to swap, only all and none reach |1 + 2 + 3|.
        let exact = randomization_test(&[0.0; 3], &[1.0, 2.0, 3.0], 100).unwrap();
        assert_eq!((exact.mean_difference, exact.p_value, exact.rounds), (2.0, 0.25, 8));
        let same = randomization_test(&[0.5; 3], &[0.5; 3], 100).unwrap();
        assert_eq!((same.p_value, same.is_exact), (1.0, true));
    }

    #[test]
    fn random_swaps_come_near_to_all_of_them() {
        let second: Vec<f64> = (0..12).map(|i| f64::from(i % 5) - 1.4).collect();
        let exact = randomization_test(&[0.0; 12], &second, 1 << 12).unwrap();
        let random = randomization_test(&[0.0; 12], &second, 4_000).unwrap();
        assert!(exact.is_exact && !random.is_exact);
        // Three standard errors of 4,000 draws.
        let error = 3.0 * (exact.p_value * (1.0 - exact.p_value) / 4_000.0).sqrt();
        assert!((exact.p_value - random.p_value).abs() < error, "{exact:?} {random:?}");
    }

    #[test]
    fn the_bootstrap_tells_a_difference_from_chance() {
        let mean = |of: &[f64], rows: &[usize]| {
            Some(rows.iter().map(|&row| of[row]).sum::<f64>() / rows.len() as f64)
        };
        let clear: Vec<f64> = (0..50).map(|i| 1.0 + f64::from(i % 3)).collect();
        let test = bootstrap_test(50, 500, |rows| mean(&clear, rows)).unwrap();
        assert!(test.p_value < 0.01 && test.mean_difference > 1.9, "{test:?}");
        let chance: Vec<f64> = (0..50).map(|i| f64::from(i % 2) - 0.5).collect();
        let test = bootstrap_test(50, 500, |rows| mean(&chance, rows)).unwrap();
        assert!(test.p_value > 0.5, "{test:?}");
        let none = bootstrap_test(50, 500, |_| Some(0.0)).unwrap();
        assert_eq!(none.p_value, 1.0);
        assert!(
            bootstrap_test(0, 500, |_| None).is_err() && bootstrap_test(5, 9, |_| None).is_err()
        );
    }

    #[test]
    fn a_list_that_is_not_its_counterpart_is_an_error() {
        assert!(matches!(randomization_test(&[1.0], &[], 10), Err(Error::Count { .. })));
        assert!(matches!(randomization_test(&[], &[], 10), Err(Error::TooFew { .. })));
        assert!(matches!(
            randomization_test(&[1.0], &[f64::NAN], 10),
            Err(Error::NotFinite { .. })
        ));
    }
}
