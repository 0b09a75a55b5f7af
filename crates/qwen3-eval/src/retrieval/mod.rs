//! Retrieval and reranking: are relevant documents found, and found first?
//!
//! Numbers are those of `trec_eval`, as mteb calls it: a score is a float32, documents with
//! equal scores stand in descending order of their ids, and a gain is the relevance itself.

mod abstention;
mod instructions;
mod judgements;
mod measures;
mod run;

pub use instructions::{InstructionScores, instruction_retrieval, p_mrr};
pub use judgements::Qrels;
pub use measures::{CUTOFFS, QueryScores};
pub use run::{Hit, Run};

use crate::Error;
use crate::sums::{python_sum, round_to_5};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// What is measured of a retrieval or reranking task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RetrievalScores {
    /// By mteb's names, such as `ndcg_at_10`. Rounded to 5 digits where mteb rounds; `r_cap_at_…` and
    /// `hole_at_…` are those of mteb's functions, which its results leave out. An nAUC is NaN
    /// where abstaining can't change anything.
    pub means: BTreeMap<String, f64>,
    /// Each query on its own.
    pub queries: BTreeMap<String, QueryScores>,
    /// Queries of the run that nobody judged; they count for nothing.
    pub unjudged: Vec<String>,
}

/// Measures a run against judgements. A query whose list is empty counts as 0; a query that the
/// run doesn't name is left out, as `trec_eval` does.
///
/// # Errors
/// [`Error::NoJudgements`] without qrels, [`Error::NothingJudged`] if no query of the run is in them.
pub fn retrieval(qrels: &Qrels, run: &Run) -> Result<RetrievalScores, Error> {
    if qrels.is_empty() {
        return Err(Error::NoJudgements);
    }
    let annotated: HashSet<&str> = qrels.documents().collect();
    let (mut queries, mut unjudged, mut hits_of) = (BTreeMap::new(), vec![], vec![]);
    for (query, hits) in run.queries() {
        match qrels.of(query) {
            Some(judged) => {
                let scores = QueryScores::new(judged, hits, &annotated);
                queries.insert(query.to_owned(), scores);
                hits_of.push(hits);
            }
            None => unjudged.push(query.to_owned()),
        }
    }
    if queries.is_empty() {
        return Err(Error::NothingJudged);
    }
    let means = means(&queries, &hits_of);
    Ok(RetrievalScores { means, queries, unjudged })
}

fn means(queries: &BTreeMap<String, QueryScores>, hits: &[&[Hit]]) -> BTreeMap<String, f64> {
    let confidences = abstention::confidences(hits);
    let mut means = BTreeMap::new();
    for (at, k) in CUTOFFS.iter().enumerate() {
        for (name, measure) in measures::MEASURES {
            let values: Vec<f64> = queries.values().map(|query| measure(query)[at]).collect();
            let mean = python_sum(values.iter().copied()) / values.len() as f64;
            // mteb computes these by itself, and doesn't round them.
            let is_rounded = !["mrr", "hole"].contains(&name);
            means
                .insert(format!("{name}_at_{k}"), if is_rounded { round_to_5(mean) } else { mean });
            if ["hit_rate", "hole"].contains(&name) {
                continue;
            }
            for (of, confidence) in &confidences {
                let nauc = abstention::nauc(confidence, &values);
                means.insert(format!("nauc_{name}_at_{k}_{of}"), nauc);
            }
        }
        let capped: Vec<f64> = queries.values().filter_map(|query| query.r_cap[at]).collect();
        if !capped.is_empty() {
            let mean = python_sum(capped.iter().copied()) / capped.len() as f64;
            means.insert(format!("r_cap_at_{k}"), mean);
        }
    }
    means.insert("accuracy".to_owned(), means["recall_at_1"]);
    means
}
