//! Pair classification: do two texts mean the same?

use crate::error::{all_finite, same_count};
use crate::vectors::Similarities;
use crate::{Error, Vectors};
use serde::Serialize;

/// The measures of one similarity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PairMeasures {
    /// At the best threshold for it.
    pub accuracy: f64,
    /// Halfway between two similarities, as all thresholds. A distance is negative, so that
    /// above the threshold means alike.
    pub accuracy_threshold: f64,
    /// At the best threshold for it.
    pub f1: f64,
    /// Of those above it, alike ones.
    pub f1_threshold: f64,
    /// At the threshold of `f1`.
    pub precision: f64,
    /// At the threshold of `f1`.
    pub recall: f64,
    /// Average precision.
    pub ap: f64,
}

/// What mteb reports of a pair classification task. Its main score is often [`max_ap`](Self::max_ap).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PairScores {
    pub cosine: PairMeasures,
    pub manhattan: PairMeasures,
    pub euclidean: PairMeasures,
    pub dot: PairMeasures,
}

impl PairScores {
    /// The best average precision of the four.
    pub fn max_ap(&self) -> f64 {
        self.best(|measures| measures.ap)
    }

    /// The best of the four by any measure.
    pub fn best(&self, of: impl Fn(&PairMeasures) -> f64) -> f64 {
        let [first, rest @ ..] = [&self.cosine, &self.manhattan, &self.euclidean, &self.dot];
        rest.iter().fold(of(first), |best, measures| best.max(of(measures)))
    }
}

/// Tells pairs apart by a threshold on each of four similarities. A label is 1 for a pair that
/// means the same, else 0.
///
/// # Errors
/// If the lists don't belong together, a label is something else, or all are the same.
pub fn pair_classification(
    left: &Vectors,
    right: &Vectors,
    labels: &[i64],
) -> Result<PairScores, Error> {
    same_count("labels of pairs", labels.len(), left.len())?;
    let of = Similarities::of_pairs(left, right)?;
    Ok(PairScores {
        cosine: pair_measures(&of.cosine, labels)?,
        manhattan: pair_measures(&of.manhattan, labels)?,
        euclidean: pair_measures(&of.euclidean, labels)?,
        dot: pair_measures(&of.dot, labels)?,
    })
}

/// The measures of one list of similarities, higher for what is more alike.
///
/// # Errors
/// As [`pair_classification`].
pub fn pair_measures(similarities: &[f64], labels: &[i64]) -> Result<PairMeasures, Error> {
    same_count("labels of pairs", labels.len(), similarities.len())?;
    all_finite("similarity", similarities)?;
    let positives = positives(labels)?;
    Ok(best(&cuts(similarities, labels), positives, labels.len()))
}

/// How many labels are 1, where the others are 0 and there are both.
pub(crate) fn positives(labels: &[i64]) -> Result<usize, Error> {
    if let Some((row, &label)) =
        labels.iter().enumerate().find(|(_, label)| !(0..=1).contains(*label))
    {
        return Err(Error::PairLabel { row, label });
    }
    match labels.iter().sum::<i64>() as usize {
        positives if positives == 0 || positives == labels.len() => {
            Err(Error::OneClass { what: "labels of pairs" })
        }
        positives => Ok(positives),
    }
}

/// What stands above a threshold.
struct Cut {
    threshold: f64,
    above: usize,
    alike_above: usize,
}

/// Between each two similarities that differ, and below all: a threshold can't split equal ones.
fn cuts(similarities: &[f64], labels: &[i64]) -> Vec<Cut> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&a, &b| similarities[b].total_cmp(&similarities[a]));
    let (mut cuts, mut above, mut alike_above): (Vec<Cut>, _, _) = (vec![], 0, 0);
    for tied in order.chunk_by(|&a, &b| similarities[a] == similarities[b]) {
        let similarity = similarities[tied[0]];
        if let Some(last) = cuts.last_mut() {
            last.threshold = (last.threshold + similarity) / 2.0;
        }
        above += tied.len();
        alike_above += tied.iter().filter(|&&i| labels[i] == 1).count();
        cuts.push(Cut { threshold: similarity, above, alike_above });
    }
    cuts
}

fn best(cuts: &[Cut], positives: usize, pairs: usize) -> PairMeasures {
    let mut best = PairMeasures {
        accuracy: 0.0,
        accuracy_threshold: -1.0,
        f1: 0.0,
        f1_threshold: 0.0,
        precision: 0.0,
        recall: 0.0,
        ap: 0.0,
    };
    let mut last_recall = 0.0;
    for (at, cut) in cuts.iter().enumerate() {
        let alike = cut.alike_above as f64;
        let (precision, recall) = (alike / cut.above as f64, alike / positives as f64);
        best.ap += (recall - last_recall) * precision;
        last_recall = recall;
        // mteb puts no threshold below all pairs.
        if at + 1 == cuts.len() {
            break;
        }
        let unlike_below = pairs - positives - (cut.above - cut.alike_above);
        let accuracy = (cut.alike_above + unlike_below) as f64 / pairs as f64;
        if accuracy > best.accuracy {
            (best.accuracy, best.accuracy_threshold) = (accuracy, cut.threshold);
        }
        let f1 = if alike > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
        if f1 > best.f1 {
            (best.f1, best.f1_threshold) = (f1, cut.threshold);
            (best.precision, best.recall) = (precision, recall);
        }
    }
    best
}
