//! Reranking data with a query and its documents on each line.

use super::{Table, Text};
use crate::error::at_least;
use crate::{Error, Qrels};

/// Queries, each with documents of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// The queries that have both kinds of documents; mteb asks no others.
    pub queries: Vec<Text>,
    /// The documents of all of them.
    pub documents: Vec<Text>,
    /// The positions of each query's documents, for [`rescore`](crate::rescore).
    pub candidates: Vec<Vec<usize>>,
    /// Which of them are relevant.
    pub qrels: Qrels,
}

/// Reads the columns `query`, `positive` and `negative`, the latter two lists of texts. Ids are
/// those of mteb, on which the order of equal scores depends.
///
/// # Errors
/// If a row lacks a column, or no query has documents of both kinds.
pub fn reranking_groups(table: &Table, split: &str) -> Result<Groups, Error> {
    let queries = table.texts("query")?;
    let of_both = table.text_lists("positive")?.into_iter().zip(table.text_lists("negative")?);
    let rows = queries.into_iter().zip(of_both);
    let kept =
        rows.filter(|(_, (positive, negative))| !positive.is_empty() && !negative.is_empty());
    let mut groups =
        Groups { queries: vec![], documents: vec![], candidates: vec![], qrels: Qrels::default() };
    for (at, (text, (positive, negative))) in kept.enumerate() {
        let id = format!("{split}_query{at}");
        let mut candidates = vec![];
        // The prefix puts relevant documents behind others with the same score.
        for (prefix, relevance, texts) in [("apositive", 1, positive), ("negative", 0, negative)] {
            for (of, text) in texts.into_iter().enumerate() {
                let document = format!("{prefix}_{id}_{of:05}");
                groups.qrels.insert(&id, &document, relevance)?;
                candidates.push(groups.documents.len());
                groups.documents.push(Text { id: document, text: text.trim().to_owned() });
            }
        }
        groups.candidates.push(candidates);
        groups.queries.push(Text { id, text });
    }
    at_least("queries with positive and negative documents", groups.queries.len(), 1)
        .map_err(|error| error.of_file(table.path()))?;
    Ok(groups)
}
