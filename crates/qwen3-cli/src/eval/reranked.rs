//! Runs whose first documents a reranker has ordered.

use super::cached::Cost;
use super::models::{Reranking, Surroundings};
use crate::error::Error;
use qwen3_eval::{Hit, Ranking, Run};
use std::collections::HashSet;

/// Pairs of a query and a document that are handed to the reranker at one time.
const CHUNK_PAIRS: usize = 4_096;

/// A run whose first documents get another order.
pub struct Reranked<'a> {
    pub ranking: &'a Ranking,
    pub run: &'a Run,
    pub top: usize,
}

impl<'a> Reranked<'a> {
    pub fn by(
        &self,
        reranker: &mut Reranking,
        instruction: Option<&String>,
        (cost, around): (&mut Cost, &Surroundings),
    ) -> Result<Run, Error> {
        let documents = &self.ranking.document_texts(&self.documents())?;
        let pairs = self.firsts().flat_map(|(_, query, hits)| {
            hits.iter().map(move |hit| (query, documents[&hit.document].as_str()))
        });
        let pairs: Vec<(&str, &str)> = pairs.collect();
        around.told.begin("rerank", pairs.len());
        let mut scores = vec![];
        for chunk in pairs.chunks(CHUNK_PAIRS) {
            scores.extend(reranker.scores(instruction, chunk, (cost, around))?);
        }
        around.told.end();
        let (mut run, mut scores) = (Run::default(), scores.into_iter());
        for (id, _, hits) in self.firsts() {
            let scored = hits.iter().zip(scores.by_ref());
            let hit = |(hit, score): (&Hit, f32)| Hit { document: hit.document.clone(), score };
            run.insert(id, scored.map(hit).collect())?;
        }
        Ok(run)
    }

    /// The documents that the reranker reads.
    pub fn documents(&self) -> HashSet<&'a str> {
        let hits = self.firsts().flat_map(|(_, _, hits)| hits);
        hits.map(|hit| hit.document.as_str()).collect()
    }

    /// The queries of the run that have a judgement, by id and text, with their first documents.
    fn firsts(&self) -> impl Iterator<Item = (&'a str, &'a str, &'a [Hit])> {
        let (run, top) = (self.run, self.top);
        self.ranking.queries.iter().filter_map(move |query| {
            let hits = run.of(&query.id)?;
            Some((query.id.as_str(), query.text.as_str(), &hits[..hits.len().min(top)]))
        })
    }
}
