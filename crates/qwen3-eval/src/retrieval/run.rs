//! What a search found.

use super::CUTOFFS;
use crate::Error;
use std::collections::{BTreeMap, HashSet};

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its id.
    pub document: String,
    /// How well it fits; higher is better. `trec_eval` holds float32 too.
    pub score: f32,
}

/// The documents of each query, best first, at most 1,000.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run(BTreeMap<String, Vec<Hit>>);

impl Run {
    /// Adds what was found for a query, in any order. Equal scores are put in descending order
    /// of the ids, as `trec_eval` does, and only the first 1,000 are kept, as mteb does.
    ///
    /// # Errors
    /// [`Error::DuplicateId`] if the query was added before or a document is there twice,
    /// [`Error::NanScore`] if a score is NaN.
    pub fn insert(&mut self, query: &str, mut hits: Vec<Hit>) -> Result<(), Error> {
        let duplicate = |place: String, id: &str| Error::DuplicateId { place, id: id.to_owned() };
        if self.0.contains_key(query) {
            return Err(duplicate("the run".to_owned(), query));
        }
        let mut seen = HashSet::with_capacity(hits.len());
        for hit in &hits {
            if hit.score.is_nan() {
                let (query, document) = (query.to_owned(), hit.document.clone());
                return Err(Error::NanScore { query, document });
            }
            if !seen.insert(hit.document.as_str()) {
                return Err(duplicate(format!("the query `{query}` of the run"), &hit.document));
            }
        }
        let score = |hit: &Hit| hit.score + 0.0; // -0 and 0 are equal.
        hits.sort_unstable_by(|a, b| {
            score(b).total_cmp(&score(a)).then_with(|| b.document.cmp(&a.document))
        });
        hits.truncate(CUTOFFS[CUTOFFS.len() - 1]);
        self.0.insert(query.to_owned(), hits);
        Ok(())
    }

    /// What was found for a query, best first.
    pub fn of(&self, query: &str) -> Option<&[Hit]> {
        self.0.get(query).map(Vec::as_slice)
    }

    /// The queries with what was found for them.
    pub fn queries(&self) -> impl Iterator<Item = (&str, &[Hit])> {
        self.0.iter().map(|(query, hits)| (query.as_str(), hits.as_slice()))
    }

    /// Whether there is no query.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes documents that have the id of their query, for tasks in which a query is one of
    /// the documents.
    pub fn remove_identical_ids(&mut self) {
        for (query, hits) in &mut self.0 {
            hits.retain(|hit| hit.document != *query);
        }
    }

    /// Only some queries.
    pub(super) fn only(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let wanted = self.0.iter().filter(|(query, _)| is_wanted(query));
        Self(wanted.map(|(query, hits)| (query.clone(), hits.clone())).collect())
    }
}
