//! Two settings on the same data.

use super::evaluation::{Evaluation, Sample};
use crate::significance::{bootstrap_test, randomization_test};
use crate::{Comparison, Error, pair_measures, spearman};

/// Random swaps of the test on units.
const SWAPS: usize = 10_000;
/// Samples of the test on pairs, each of which sorts all of them.
const SAMPLES: usize = 2_000;

/// Whether the second is better or worse than the first by more than chance: the randomisation test
/// on queries, experiments, runs or texts, and the bootstrap on pairs. None if there is nothing to
/// compare one by one, or both were measured on other parts.
///
/// # Errors
/// If a score of a part isn't finite.
pub fn compare(first: &Evaluation, second: &Evaluation) -> Result<Option<Comparison>, Error> {
    match (&first.sample, &second.sample) {
        (Sample::Units { scores: first, .. }, Sample::Units { scores: second, .. }) => {
            let names = |of: &[(String, f64)]| -> Vec<String> {
                of.iter().map(|(name, _)| name.clone()).collect()
            };
            if first.is_empty() || names(first) != names(second) {
                return Ok(None);
            }
            let values = |of: &[(String, f64)]| of.iter().map(|(_, score)| *score).collect();
            let (first, second): (Vec<f64>, Vec<f64>) = (values(first), values(second));
            randomization_test(&first, &second, SWAPS).map(Some)
        }
        (
            Sample::Pairs { similarities: first, gold, is_label },
            Sample::Pairs { similarities: second, gold: of_second, .. },
        ) if gold == of_second => {
            let difference = |rows: &[usize]| {
                let of = |numbers: &[f64]| rows.iter().map(|&row| numbers[row]).collect::<Vec<_>>();
                let gold = of(gold);
                Some(
                    measure(&of(second), &gold, *is_label)?
                        - measure(&of(first), &gold, *is_label)?,
                )
            };
            bootstrap_test(gold.len(), SAMPLES, difference).map(Some)
        }
        _ => Ok(None),
    }
}

/// None where a sample has one label, or one score, only.
fn measure(similarities: &[f64], gold: &[f64], is_label: bool) -> Option<f64> {
    match is_label {
        true => {
            let labels: Vec<i64> = gold.iter().map(|label| *label as i64).collect();
            pair_measures(similarities, &labels).ok().map(|measures| measures.ap)
        }
        false => spearman(gold, similarities).ok(),
    }
}
