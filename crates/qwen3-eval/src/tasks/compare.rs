//! Two settings on the same data.

use super::evaluation::{Evaluation, Sample};
use crate::significance::{bootstrap_test, randomization_test};
use crate::{Comparison, Error, pair_measures, spearman};

/// Random swaps of the test on units.
const SWAPS: usize = 10_000;
/// Samples of the test on pairs, each of which sorts all of them.
const SAMPLES: usize = 2_000;

/// How much one setting is better than another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The main score of the second less that of the first.
    pub of_scores: f64,
    /// Whether it is more than chance; none if there is nothing to compare one by one.
    pub test: Option<Comparison>,
}

/// Compares two settings on the same data: by the randomisation test on queries, experiments, runs or
/// texts, and by the bootstrap on pairs. None if both were measured on other parts of the data.
///
/// # Errors
/// If a score of a part isn't finite.
pub fn compare(first: &Evaluation, second: &Evaluation) -> Result<Option<Difference>, Error> {
    let names = |of: &[(String, f64)]| of.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let test = match (&first.sample, &second.sample) {
        _ if first.missing != second.missing => return Ok(None),
        (Sample::Units { scores: first, .. }, Sample::Units { scores: second, .. }) => {
            if names(first) != names(second) {
                return Ok(None);
            }
            let values = |of: &[(String, f64)]| of.iter().map(|(_, score)| *score).collect();
            let (first, second): (Vec<f64>, Vec<f64>) = (values(first), values(second));
            Some(randomization_test(&first, &second, SWAPS)?)
        }
        (Sample::Pairs { gold: first, .. }, Sample::Pairs { gold: second, .. })
            if first != second =>
        {
            return Ok(None);
        }
        (
            Sample::Pairs { similarities: first, gold, is_label },
            Sample::Pairs { similarities: second, .. },
        ) => {
            let difference = |rows: &[usize]| {
                let of = |numbers: &[f64]| rows.iter().map(|&row| numbers[row]).collect::<Vec<_>>();
                let gold = of(gold);
                Some(
                    measure(&of(second), &gold, *is_label)?
                        - measure(&of(first), &gold, *is_label)?,
                )
            };
            Some(bootstrap_test(gold.len(), SAMPLES, difference)?)
        }
        _ => None,
    };
    Ok(Some(Difference { of_scores: second.main() - first.main(), test }))
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
