//! Clustering: do clusters of vectors agree with the categories that people gave?

mod agreement;
mod k_means;
mod k_means_start;

use crate::error::{at_least, same_count};
use crate::random::{Random, SEED};
use crate::sums::{mean, standard_deviation};
use crate::{Error, Vectors};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const RUNS: usize = 10;
/// The label of a document that has none at a level.
pub(crate) const NONE: i64 = -1;

/// What mteb reports of a clustering task. Its main score is `v_measure`. Lists are by level, `Level 0`
/// first, with a number for each of ten runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "mteb's names")]
pub struct ClusteringScores {
    pub v_measure: f64,
    pub v_measure_std: f64,
    pub v_measures: BTreeMap<String, Vec<f64>>,
    pub ami: f64,
    pub ami_std: f64,
    pub ami_scores: BTreeMap<String, Vec<f64>>,
}

/// How much of the data is clustered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusteringSize {
    /// The part of all documents that is drawn, and has to be embedded; all of them without one. mteb's
    /// default is 0.04.
    pub fraction: Option<f64>,
    /// Documents of a run, drawn with replacement.
    pub run_documents: usize,
}

impl Default for ClusteringSize {
    fn default() -> Self {
        Self { fraction: Some(0.04), run_documents: 16_384 }
    }
}

/// A clustering task before its documents are embedded.
pub struct Clustering {
    random: Random,
    documents: Vec<usize>,
    run_documents: usize,
}

impl Clustering {
    /// Draws the documents to embed, those that mteb draws.
    ///
    /// # Errors
    /// If nothing is drawn, or a size is out of its range.
    pub fn new(documents: usize, size: ClusteringSize) -> Result<Self, Error> {
        let wrong = |setting, value: String, range| Err(Error::Setting { setting, value, range });
        if size.run_documents == 0 || size.run_documents > u32::MAX as usize {
            let value = size.run_documents.to_string();
            return wrong("run_documents", value, "must be at least 1, and below 2^32");
        }
        let most = u32::MAX as usize;
        if documents > most {
            return Err(Error::TooMany { what: "documents", found: documents, most });
        }
        let mut random = Random::new(SEED);
        let documents: Vec<usize> = match size.fraction {
            None => (0..documents).collect(),
            Some(part) if part > 0.0 && part <= 1.0 => {
                random.sample(documents, (part * documents as f64) as usize)
            }
            Some(part) => {
                return wrong("fraction", part.to_string(), "must be above 0, and at most 1");
            }
        };
        at_least("documents to cluster", documents.len(), 1)?;
        Ok(Self { random, documents, run_documents: size.run_documents })
    }

    /// The positions of the documents to embed, in the order in which
    /// [`evaluate`](Self::evaluate) wants them.
    pub fn documents(&self) -> &[usize] {
        &self.documents
    }

    /// Clusters the documents ten times at each level, and compares with their labels, which
    /// has one for each level. A document with fewer levels is left out of the others.
    ///
    /// scikit-learn adds in an order that depends on its threads, so two runs of it may differ in
    /// the last bit of a distance, and then in a cluster.
    ///
    /// # Errors
    /// If the lists don't belong together, or a level has more clusters than a run documents.
    pub fn evaluate(
        mut self,
        vectors: &Vectors,
        labels: &[Vec<i64>],
    ) -> Result<ClusteringScores, Error> {
        same_count("vectors", vectors.len(), self.documents.len())?;
        let levels = self.levels(labels)?;
        let (mut v_measures, mut ami_scores) = (BTreeMap::new(), BTreeMap::new());
        for (level, of_level) in levels.into_iter().enumerate() {
            let all = vectors.rows().zip(of_level);
            let rows: Vec<(&[f32], i64)> = all.filter(|(_, label)| *label != NONE).collect();
            let (v_measure, ami) = self.runs(&rows);
            v_measures.insert(format!("Level {level}"), v_measure);
            ami_scores.insert(format!("Level {level}"), ami);
        }
        let flat =
            |scores: &BTreeMap<String, Vec<f64>>| scores.values().flatten().copied().collect();
        let (of_v, of_ami): (Vec<f64>, Vec<f64>) = (flat(&v_measures), flat(&ami_scores));
        Ok(ClusteringScores {
            v_measure: mean(&of_v),
            v_measure_std: standard_deviation(&of_v),
            v_measures,
            ami: mean(&of_ami),
            ami_std: standard_deviation(&of_ami),
            ami_scores,
        })
    }

    /// The labels of the documents at each level, where clusters can be made of them.
    pub(crate) fn levels(&self, labels: &[Vec<i64>]) -> Result<Vec<Vec<i64>>, Error> {
        same_count("labels of documents", labels.len(), self.documents.len())?;
        let levels = labels.iter().map(Vec::len).max().unwrap_or(0);
        at_least("levels of labels", levels, 1)?;
        let of_level = |level: usize| {
            let label = |labels: &Vec<i64>| labels.get(level).copied().unwrap_or(NONE);
            let of_level: Vec<i64> = labels.iter().map(label).collect();
            let known = of_level.iter().filter(|label| **label != NONE).collect::<BTreeSet<_>>();
            at_least("labels of a level", known.len(), 1)?;
            at_least("documents of a run", self.run_documents, known.len())?;
            Ok(of_level)
        };
        (0..levels).map(of_level).collect()
    }

    fn runs(&mut self, rows: &[(&[f32], i64)]) -> (Vec<f64>, Vec<f64>) {
        let clusters = rows.iter().map(|(_, label)| label).collect::<BTreeSet<_>>().len();
        let mut run = || {
            let drawn = self.random.choices(rows.len(), self.run_documents);
            let vectors: Vec<&[f32]> = drawn.iter().map(|&row| rows[row].0).collect();
            let labels: Vec<i64> = drawn.iter().map(|&row| rows[row].1).collect();
            agreement::agreement(&labels, &k_means::assignments(&vectors, clusters))
        };
        (0..RUNS).map(|_| run()).unzip()
    }
}
