//! What comes of a request: vectors or scores, and what they took.

use crate::error::Error;
use crate::metrics::{RequestTimes, Task};
use qwen3_engine::probability;
use std::sync::Arc;

/// More numbers or characters take longer to write than a hop to another thread does.
const LONG: usize = 4096;

/// Rows of texts, and what they took.
pub struct Results<R> {
    /// In the order of the texts.
    pub results: Vec<R>,
    /// Of each text.
    pub lengths: Vec<Length>,
    /// What it took.
    pub compute: Compute,
}

/// How long a text was.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Tokens computed, with template and end token.
    pub tokens: usize,
    /// Whether more were cut off.
    pub truncated: bool,
}

/// What a request took; becomes headers of the answer.
#[derive(Clone, Copy, Debug)]
pub struct Compute {
    /// What it was for.
    pub task: Task,
    /// Texts of the request.
    pub texts: usize,
    /// Their characters.
    pub characters: usize,
    /// Their tokens.
    pub tokens: usize,
    /// Texts that were cut.
    pub truncated: usize,
    /// Numbers of the answer.
    pub numbers: usize,
    /// Durations.
    pub times: RequestTimes,
}

/// The vectors of a text's tokens: equal texts share them.
#[derive(Clone, Debug)]
pub struct TokenVectors {
    /// One after the other.
    pub rows: Arc<[f32]>,
    /// Numbers of a vector.
    pub width: usize,
}

/// How well a document answers a query.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// `logit_yes − logit_no`
    pub log_odds: f64,
}

impl Compute {
    /// Whether there is much to answer.
    pub fn is_long(&self) -> bool {
        self.numbers + self.characters > LONG
    }
}

impl Score {
    /// Probability of "yes", or the log-odds as they are.
    pub fn shown(self, as_probability: bool) -> f64 {
        if as_probability { probability(self.log_odds) } else { self.log_odds }
    }
}

impl<R> Results<R> {
    /// The same of other results.
    pub(super) fn try_map<S>(
        self,
        map: impl FnMut(R) -> Result<S, Error>,
    ) -> Result<Results<S>, Error> {
        let Self { results, lengths, compute } = self;
        let results = results.into_iter().map(map).collect::<Result<_, _>>()?;
        Ok(Results { results, lengths, compute })
    }
}

impl Results<Score> {
    /// Indices and scores, best first, equal ones in the order given.
    pub fn ranked(&self) -> Vec<(usize, Score)> {
        let mut ranked: Vec<_> = self.results.iter().copied().enumerate().collect();
        // By log-odds: probabilities of good documents all round to 1.
        ranked.sort_by(|(_, a), (_, b)| b.log_odds.total_cmp(&a.log_odds));
        ranked
    }
}
