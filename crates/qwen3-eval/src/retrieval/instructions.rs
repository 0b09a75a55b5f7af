//! Instruction retrieval: does a ranking change as the instruction does? (arXiv:2403.15246)

use super::{Hit, Qrels, RetrievalScores, Run, retrieval};
use crate::Error;
use serde::Serialize;
use std::collections::BTreeMap;

/// What mteb reports of an instruction task. Its main score is `p_mrr`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstructionScores {
    /// From -1, the opposite of what is asked for, to 1; mteb's `p-MRR`.
    pub p_mrr: f64,
    /// All queries.
    pub all: RetrievalScores,
    /// The queries with their original instructions.
    pub og: RetrievalScores,
    /// The queries with changed instructions.
    pub changed: RetrievalScores,
}

/// Measures a run whose queries end in `-og` and `-changed`. `no_longer_relevant` has, by
/// the id before that ending, the documents that the changed instruction excludes.
///
/// # Errors
/// As [`retrieval`] and [`p_mrr`].
pub fn instruction_retrieval(
    qrels: &Qrels,
    run: &Run,
    no_longer_relevant: &BTreeMap<String, Vec<String>>,
) -> Result<InstructionScores, Error> {
    let og = run.only(|query| query.ends_with("-og"));
    let changed = run.only(|query| !query.ends_with("-og"));
    Ok(InstructionScores {
        p_mrr: p_mrr(&og, &changed, no_longer_relevant)?,
        all: retrieval(qrels, run)?,
        og: retrieval(qrels, &og)?,
        changed: retrieval(qrels, &changed)?,
    })
}

/// p-MRR of the documents that the changed instruction excludes: how far they fall, as a mean
/// over those of a query, then over queries.
///
/// # Errors
/// [`Error::UnknownId`] if a run lacks one of the queries, [`Error::TooFew`] without a document.
pub fn p_mrr(
    og: &Run,
    changed: &Run,
    no_longer_relevant: &BTreeMap<String, Vec<String>>,
) -> Result<f64, Error> {
    let mut means = vec![];
    for (query, documents) in no_longer_relevant.iter().filter(|(_, list)| !list.is_empty()) {
        let before = hits_of(og, format!("{query}-og"))?;
        let after = hits_of(changed, format!("{query}-changed"))?;
        let fall = |document: &String| change(rank(before, document), rank(after, document));
        let sum: f64 = documents.iter().map(fall).sum();
        means.push(sum / documents.len() as f64);
    }
    crate::error::at_least("queries with changed documents", means.len(), 1)?;
    Ok(means.iter().sum::<f64>() / means.len() as f64)
}

fn hits_of(run: &Run, query: String) -> Result<&[Hit], Error> {
    let unknown = |id| {
        let place = "the list of changed documents".to_owned();
        Error::UnknownId { place, id, among: "the run".to_owned() }
    };
    run.of(&query).ok_or_else(|| unknown(query))
}

/// From 1; a document that wasn't found stands behind all that were.
fn rank(hits: &[Hit], document: &str) -> f64 {
    let found = hits.iter().position(|hit| hit.document == document);
    (found.unwrap_or(hits.len()) + 1) as f64
}

fn change(before: f64, after: f64) -> f64 {
    if before >= after {
        (1.0 / before) / (1.0 / after) - 1.0
    } else {
        1.0 - (1.0 / after) / (1.0 / before)
    }
}
