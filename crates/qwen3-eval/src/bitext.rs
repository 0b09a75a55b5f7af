//! Bitext mining: is the translation of a sentence its nearest neighbour?

use crate::class_scores::ClassScores;
use crate::error::{at_least, same_count};
use crate::{Error, Vectors, nearest};
use serde::Serialize;

/// What mteb reports of bitext mining, weighted by how often a sentence is a translation. Its
/// main score is `f1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "mteb's names")]
pub struct BitextScores {
    pub accuracy: f64,
    pub f1: f64,
    pub precision: f64,
    pub recall: f64,
}

/// Looks for the translation of each sentence of `left` in `right`. `gold` has its position,
/// which is the sentence's own position in most data. Of equally near ones the first is taken.
///
/// # Errors
/// If there is no sentence, the widths differ, or `gold` has another length or points beyond `right`.
pub fn bitext_mining(
    left: &Vectors,
    right: &Vectors,
    gold: &[usize],
) -> Result<BitextScores, Error> {
    at_least("sentences", left.len().min(right.len()), 1)?;
    same_count("gold translations", gold.len(), left.len())?;
    let len = right.len();
    if let Some((row, &index)) = gold.iter().enumerate().find(|(_, index)| **index >= len) {
        return Err(Error::Index { what: "gold translation", row, index, len });
    }
    let found = nearest(left, right, 1)?;
    let found: Vec<i64> = found.iter().flatten().map(|found| found.document as i64).collect();
    let gold: Vec<i64> = gold.iter().map(|index| *index as i64).collect();
    let scores = ClassScores::new(&gold, &found);
    Ok(BitextScores {
        accuracy: scores.accuracy,
        f1: scores.f1_weighted,
        precision: scores.precision_weighted,
        recall: scores.recall_weighted,
    })
}
