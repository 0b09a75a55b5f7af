//! Pairs of a query and a document to tokens: a query that several documents
//! have is read once.

use super::limits::Repeated;
use crate::error::Error;
use qwen3_engine::{Limit, Prefix, RerankerHost, TextError, Tokens, Truncate};
use std::sync::Arc;

/// A query and a document.
pub struct Pair {
    /// Shared by all documents of a request.
    pub query: Arc<str>,
    pub document: String,
}

/// The pairs of a request, and how they become tokens.
pub struct PairsToScore {
    /// In the order of the answer.
    pub pairs: Vec<Pair>,
    /// What makes a document relevant; `None`: the official default.
    pub instruction: Option<String>,
    /// Length of the whole pair, and what happens beyond.
    pub limit: Limit,
    /// Tokens of a document, for pairs of one query.
    pub max_document_tokens: Option<usize>,
}

/// Makes tokens of one pair after the other.
pub struct PairTokenizer {
    host: Arc<RerankerHost>,
    pairs: Vec<Pair>,
    instruction: Prefix,
    limit: Limit,
    max_document_tokens: Option<usize>,
    repeated: Repeated,
    /// Of the pair before: documents of one query come one after the other.
    query: Option<Query>,
}

struct Query {
    text: Arc<str>,
    prefix: Prefix,
    limit: Limit,
}

impl PairTokenizer {
    /// For the pairs of one request.
    pub fn new(
        host: Arc<RerankerHost>,
        pairs: PairsToScore,
        repeated: Repeated,
    ) -> Result<Self, Error> {
        let PairsToScore { pairs, instruction, limit, max_document_tokens } = pairs;
        let instruction = host.instruction_prefix(instruction.as_deref(), limit);
        let instruction = instruction.map_err(|reason| Error::Prompt { reason })?;
        Ok(Self { host, pairs, instruction, limit, max_document_tokens, repeated, query: None })
    }

    /// The tokens of the pair with this index.
    pub fn tokenize(&mut self, index: usize) -> Result<Tokens, Error> {
        let pair = &self.pairs[index];
        let refused = |reason| Error::text(index, reason);
        let query = match self.query.take() {
            Some(query) if Arc::ptr_eq(&query.text, &pair.query) => query,
            _ => self.read(&pair.query).map_err(refused)?,
        };
        self.repeated.add(&query.prefix)?;
        let tokens = self.host.tokenize(&query.prefix, &pair.document, query.limit);
        self.query = Some(query);
        tokens.map_err(refused)
    }

    fn read(&self, query: &Arc<str>) -> Result<Query, TextError> {
        let prefix = self.host.query_prefix(&self.instruction, query, self.limit)?;
        let limit = match self.max_document_tokens {
            Some(max_tokens) => {
                let others = self.host.tokenize(&prefix, "", self.limit)?.input_ids.len();
                cut_to(self.limit, others.saturating_add(max_tokens))
            }
            None => self.limit,
        };
        Ok(Query { text: query.clone(), prefix, limit })
    }
}

/// The document is last, so a limit beyond all others cuts it alone.
fn cut_to(limit: Limit, max_tokens: usize) -> Limit {
    match max_tokens < limit.max_tokens {
        true => Limit { max_tokens, truncate: Truncate::Right },
        false => limit,
    }
}

/// Characters of pairs; those of a query that several have are read once.
pub fn characters(pairs: &[Pair]) -> usize {
    let mut before: Option<(&Arc<str>, usize)> = None;
    let mut characters = 0;
    for Pair { query, document } in pairs {
        let of_query = match before {
            Some((of, count)) if Arc::ptr_eq(of, query) => count,
            _ => query.chars().count(),
        };
        before = Some((query, of_query));
        characters += of_query + document.chars().count();
    }
    characters
}
