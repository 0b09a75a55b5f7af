//! How well classes were told: scikit-learn's precision, recall and F1.

use serde::Serialize;
use std::collections::BTreeMap;

/// The measures of one prediction. Without a suffix each class counts the same, `_weighted` is by how
/// many rows have the class. A class without a prediction or without a row has 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "scikit-learn's names")]
pub struct ClassScores {
    pub accuracy: f64,
    pub f1: f64,
    pub f1_weighted: f64,
    pub precision: f64,
    pub precision_weighted: f64,
    pub recall: f64,
    pub recall_weighted: f64,
    /// Average precision, with the predicted label as the score. Only if the rows have two
    /// labels and one of them is 1, which is the positive one.
    pub ap: Option<f64>,
    /// The same: with two labels there is nothing to weight.
    pub ap_weighted: Option<f64>,
}

#[derive(Default)]
struct Counts {
    rows: f64,
    predicted: f64,
    right: f64,
}

impl ClassScores {
    /// Compares labels with predictions; both have the same length, which isn't 0.
    pub(crate) fn new(labels: &[i64], predicted: &[i64]) -> Self {
        let mut classes: BTreeMap<i64, Counts> = BTreeMap::new();
        for (label, prediction) in labels.iter().zip(predicted) {
            classes.entry(*label).or_default().rows += 1.0;
            classes.entry(*prediction).or_default().predicted += 1.0;
            if label == prediction {
                classes.entry(*label).or_default().right += 1.0;
            }
        }
        let rows = labels.len() as f64;
        let mean =
            |of: fn(&Counts) -> f64| classes.values().map(of).sum::<f64>() / classes.len() as f64;
        let weighted = |of: fn(&Counts) -> f64| {
            classes.values().map(|counts| of(counts) * counts.rows).sum::<f64>() / rows
        };
        Self {
            accuracy: classes.values().map(|counts| counts.right).sum::<f64>() / rows,
            f1: mean(f1),
            f1_weighted: weighted(f1),
            precision: mean(precision),
            precision_weighted: weighted(precision),
            recall: mean(recall),
            recall_weighted: weighted(recall),
            ap: average_precision(labels, predicted),
            ap_weighted: average_precision(labels, predicted),
        }
    }

    /// The mean of several, measure by measure.
    pub(crate) fn mean(scores: &[Self]) -> Self {
        let of = |field: fn(&Self) -> f64| {
            crate::sums::mean(&scores.iter().map(field).collect::<Vec<_>>())
        };
        let ap: Vec<f64> = scores.iter().filter_map(|scores| scores.ap).collect();
        Self {
            accuracy: of(|scores| scores.accuracy),
            f1: of(|scores| scores.f1),
            f1_weighted: of(|scores| scores.f1_weighted),
            precision: of(|scores| scores.precision),
            precision_weighted: of(|scores| scores.precision_weighted),
            recall: of(|scores| scores.recall),
            recall_weighted: of(|scores| scores.recall_weighted),
            ap: (!ap.is_empty()).then(|| crate::sums::mean(&ap)),
            ap_weighted: (!ap.is_empty()).then(|| crate::sums::mean(&ap)),
        }
    }
}

fn part(right: f64, of: f64) -> f64 {
    if of > 0.0 { right / of } else { 0.0 }
}

fn precision(counts: &Counts) -> f64 {
    part(counts.right, counts.predicted)
}

fn recall(counts: &Counts) -> f64 {
    part(counts.right, counts.rows)
}

fn f1(counts: &Counts) -> f64 {
    part(2.0 * counts.right, counts.rows + counts.predicted)
}

/// `average_precision_score(labels, predicted)`.
fn average_precision(labels: &[i64], predicted: &[i64]) -> Option<f64> {
    let distinct: std::collections::BTreeSet<i64> = labels.iter().copied().collect();
    if distinct.len() != 2 || !distinct.contains(&1) {
        return None;
    }
    let mut by_score: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (label, score) in labels.iter().zip(predicted) {
        let (rows, positives) = by_score.entry(*score).or_default();
        *rows += 1.0;
        *positives += f64::from(*label == 1);
    }
    let all: f64 = by_score.values().map(|(_, positives)| positives).sum();
    let (mut rows, mut found, mut sum) = (0.0, 0.0, 0.0);
    for (more, positives) in by_score.values().rev() {
        (rows, found) = (rows + more, found + positives);
        sum += positives / all * (found / rows);
    }
    Some(sum)
}
