//! The measures of one query, by cutoff.

use super::Hit;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// How many documents from the top are looked at; mteb's `k_values`.
pub const CUTOFFS: [usize; 7] = [1, 3, 5, 10, 20, 100, 1000];

type AtCutoffs = [f64; CUTOFFS.len()];

/// The measures of one query, each at every one of the [`CUTOFFS`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueryScores {
    /// Normalised discounted cumulative gain: the gain is the relevance, divided by
    /// `log2(rank + 1)`.
    pub ndcg: AtCutoffs,
    /// Average precision, over all relevant documents.
    pub map: AtCutoffs,
    /// The part of the relevant documents that was found.
    pub recall: AtCutoffs,
    /// The part of the first `k` that is relevant.
    pub precision: AtCutoffs,
    /// One over the rank of the first relevant document.
    pub mrr: AtCutoffs,
    /// Whether a relevant document was found.
    pub hit_rate: AtCutoffs,
    /// The part of the first `k` that is judged for no query at all.
    pub hole: AtCutoffs,
    /// Recall over no more than `k` relevant documents; none without a relevant one.
    pub r_cap: [Option<f64>; CUTOFFS.len()],
}

type Measure = fn(&QueryScores) -> &AtCutoffs;

/// The measures that have a mean over all queries, by mteb's names.
pub(super) const MEASURES: [(&str, Measure); 7] = [
    ("ndcg", |scores| &scores.ndcg),
    ("map", |scores| &scores.map),
    ("recall", |scores| &scores.recall),
    ("precision", |scores| &scores.precision),
    ("mrr", |scores| &scores.mrr),
    ("hit_rate", |scores| &scores.hit_rate),
    ("hole", |scores| &scores.hole),
];

impl QueryScores {
    /// A measure by mteb's name, such as `ndcg_at_10`.
    pub fn get(&self, name: &str) -> Option<f64> {
        let (name, k) = name.rsplit_once("_at_")?;
        let at = CUTOFFS.iter().position(|cutoff| cutoff.to_string() == k)?;
        let (_, measure) = MEASURES.iter().find(|(known, _)| *known == name)?;
        Some(measure(self)[at])
    }

    pub(super) fn new(
        judged: &BTreeMap<String, i64>,
        hits: &[Hit],
        annotated: &HashSet<&str>,
    ) -> Self {
        let relevance = |hit: &Hit| judged.get(&hit.document).copied().unwrap_or(0).max(0);
        let found: Vec<i64> = hits.iter().map(relevance).collect();
        let mut ideal: Vec<i64> = judged.values().copied().filter(|gain| *gain > 0).collect();
        ideal.sort_unstable_by(|a, b| b.cmp(a));
        let relevant = ideal.len() as f64;
        // The sum of nothing is -0, and that plus 0 is 0.
        let part = |sum: f64, of: f64| if of > 0.0 { (sum + 0.0) / of } else { 0.0 };
        let top = |k: usize| &found[..k.min(found.len())];
        let count = |k: usize| top(k).iter().filter(|gain| **gain > 0).count() as f64;
        let is_hole = |hit: &&Hit| !annotated.contains(hit.document.as_str());
        let holes = |k: usize| hits.iter().take(k).filter(is_hole).count() as f64;
        let first = found.iter().position(|gain| *gain > 0);
        let mrr =
            |k: usize| first.filter(|rank| *rank < k).map_or(0.0, |rank| 1.0 / (rank + 1) as f64);
        let cap = |k: usize| (!ideal.is_empty()).then(|| count(k) / ideal.len().min(k) as f64);
        Self {
            ndcg: CUTOFFS
                .map(|k| part(discounted(top(k)), discounted(&ideal[..k.min(ideal.len())]))),
            map: CUTOFFS.map(|k| part(precisions(top(k)), relevant)),
            recall: CUTOFFS.map(|k| part(count(k), relevant)),
            precision: CUTOFFS.map(|k| count(k) / k as f64),
            mrr: CUTOFFS.map(mrr),
            hit_rate: CUTOFFS.map(|k| f64::from(count(k) > 0.0)),
            hole: CUTOFFS.map(|k| holes(k) / k as f64),
            r_cap: CUTOFFS.map(cap),
        }
    }
}

/// Järvelin and Kekäläinen (2002), with the discount of `trec_eval`.
fn discounted(gains: &[i64]) -> f64 {
    gains.iter().enumerate().map(|(i, gain)| *gain as f64 / ((i + 2) as f64).log2()).sum()
}

/// The precisions at the ranks of relevant documents, added up.
fn precisions(gains: &[i64]) -> f64 {
    let ranks = gains.iter().enumerate().filter(|(_, gain)| **gain > 0);
    ranks.enumerate().map(|(before, (i, _))| (before + 1) as f64 / (i + 1) as f64).sum()
}
