//! Documents by how well they answer a query, in every dialect.

use super::{Fields, SharedFields, Truncation};
use crate::app::App;
use crate::error::Error;
use crate::inference::{Call, Cost, LogOdds, Pair};
use std::sync::Arc;

/// What is ranked.
pub struct Ranking {
    pub query: String,
    pub documents: Vec<String>,
    /// The fields that all dialects have.
    pub shared: SharedFields,
    /// How far pairs are cut.
    pub truncation: Truncation,
    /// Tokens of a document.
    pub max_document_tokens: Option<usize>,
    /// Only the best so many; `None`: all.
    pub top_n: Option<usize>,
    /// Whether scores are probabilities; otherwise they are log-odds.
    pub as_probability: bool,
    /// Whether the answer repeats the documents.
    pub return_documents: bool,
}

/// Documents, best first, and what they cost.
pub struct Ranked {
    /// Equal ones are in the order given.
    pub documents: Vec<RankedDocument>,
    /// What all of them cost.
    pub cost: Cost,
}

/// A document's place.
pub struct RankedDocument {
    /// Index among the documents given.
    pub index: usize,
    /// How well it answers.
    pub score: f32,
    /// The document, if the answer repeats it.
    pub text: Option<String>,
}

impl Ranking {
    /// With nothing special about it.
    pub fn new(query: String, documents: Vec<String>, shared: SharedFields) -> Self {
        Self {
            query,
            documents,
            as_probability: shared.normalizes(),
            shared,
            truncation: Truncation::default(),
            max_document_tokens: None,
            top_n: None,
            return_documents: false,
        }
    }

    /// The documents with their scores, best first.
    pub async fn compute(self, app: &App, call: Call) -> Result<Ranked, Error> {
        let mut texts = self.return_documents.then(|| self.documents.clone());
        let query: Arc<str> = self.query.into();
        let pair = |document| Pair { query: query.clone(), document };
        let pairs = self.documents.into_iter().map(pair).collect();
        let mut pairs = self.shared.pairs(app, pairs, self.truncation)?;
        pairs.max_document_tokens = self.max_document_tokens;
        let scores = app.inference.score(app.reranker()?, call, pairs).await?;
        let mut ranked: Vec<(usize, LogOdds)> = scores.results.into_iter().enumerate().collect();
        // By log-odds: probabilities of good documents all round to 1.
        ranked.sort_by(|(_, a), (_, b)| b.0.total_cmp(&a.0));
        ranked.truncate(self.top_n.unwrap_or(usize::MAX));
        let document = |(index, log_odds): (usize, LogOdds)| RankedDocument {
            index,
            score: log_odds.shown(self.as_probability),
            text: texts.as_mut().map(|texts| std::mem::take(&mut texts[index])),
        };
        Ok(Ranked { documents: ranked.into_iter().map(document).collect(), cost: scores.cost })
    }
}

/// How many results are asked for, at least `minimum`; 0 is all of them, as vLLM has it.
pub fn top_n(fields: &Fields<'_>, minimum: i64) -> Result<Option<usize>, Error> {
    Ok(fields.count(&["top_n", "top_k"], minimum)?.filter(|top_n| *top_n > 0))
}
