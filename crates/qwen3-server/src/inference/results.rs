//! What comes of a request: vectors or scores, and what they cost.

use crate::error::Error;
use crate::metrics::{RequestTimes, Task};
use qwen3_engine::probability;
use std::sync::Arc;

/// More numbers or characters take longer to write than a hop to another thread does.
const LONG: usize = 4096;

/// Rows of texts, and what they cost.
pub struct Results<R> {
    /// In the order of the texts.
    pub results: Vec<R>,
    pub lengths: Vec<Length>,
    /// What all of it cost.
    pub cost: Cost,
}

/// How long a text was.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Tokens computed, with template and end token.
    pub tokens: usize,
    /// Whether more were cut off.
    pub truncated: bool,
}

/// What a request cost; becomes headers of the answer.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// What it was for.
    pub task: Task,
    /// Texts of the request.
    pub texts: usize,
    pub characters: usize,
    pub tokens: usize,
    /// Texts that were cut.
    pub truncated: usize,
    /// Numbers of the answer.
    pub numbers: usize,
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

/// How well a document answers a query: `logit_yes − logit_no`.
#[derive(Clone, Copy, Debug)]
pub struct LogOdds(pub f64);

impl Cost {
    /// Whether there is much to answer.
    pub fn is_long(&self) -> bool {
        self.numbers + self.characters > LONG
    }
}

impl LogOdds {
    /// Probability of "yes", or the log-odds as they are.
    pub fn shown(self, as_probability: bool) -> f32 {
        (if as_probability { probability(self.0) } else { self.0 }) as f32
    }
}

impl<R> Results<R> {
    /// The same of other results.
    pub fn try_map<S>(self, map: impl FnMut(R) -> Result<S, Error>) -> Result<Results<S>, Error> {
        let Self { results, lengths, cost } = self;
        let results = results.into_iter().map(map).collect::<Result<_, _>>()?;
        Ok(Results { results, lengths, cost })
    }
}
