//! What goes into an evaluation, and what comes of it.

use crate::error::same_count;
use crate::{Error, NamedScores, Vectors};
use serde::Serialize;
use std::collections::HashMap;

/// Characters of a text that an error shows.
const SHOWN: usize = 40;

/// What a text is to its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It asks; models that take an instruction get one.
    Query,
    /// It may be what a query asks for.
    Document,
    /// It is compared with others like it; models that take an instruction get one.
    Text,
}

/// Vectors that are owned, one a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The rows, one behind another.
    pub numbers: Vec<f32>,
    /// The numbers of a row.
    pub width: usize,
}

impl Rows {
    /// The vectors of some texts.
    pub(super) fn of(&self, texts: &[String]) -> Result<Vectors<'_>, Error> {
        let vectors = Vectors::new(&self.numbers, self.width).map_err(|error| match error {
            Error::NotFinite { row, .. } if row < texts.len() => {
                Error::VectorOfText { text: texts[row].chars().take(SHOWN).collect() }
            }
            error => error,
        })?;
        same_count("vectors", vectors.len(), texts.len())?;
        Ok(vectors)
    }
}

/// The scores of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// By mteb's names.
    pub scores: NamedScores,
    /// The name of the score that counts.
    pub main_score: String,
    /// What the score is made of, to compare two settings with.
    pub sample: Sample,
    /// Judged queries that the run doesn't name: the scores are of the others alone.
    pub missing: Vec<String>,
}

/// The parts of a score.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// The score is the mean of those of queries, experiments, runs or rows.
    Units {
        /// What one of them is, such as `query`.
        what: &'static str,
        /// Each with its name.
        scores: Vec<(String, f64)>,
    },
    /// The score is a correlation or an average precision over pairs.
    Pairs {
        /// Cosines.
        similarities: Vec<f64>,
        /// What people said: scores, or 1 for pairs that mean the same and 0 for others.
        gold: Vec<f64>,
        /// Whether it is an average precision.
        is_label: bool,
    },
    /// It has no parts that could be compared one by one.
    Whole,
}

impl Evaluation {
    /// The score that counts; NaN if it isn't defined for what was found.
    pub fn main(&self) -> f64 {
        self.scores.get(&self.main_score).unwrap_or(f64::NAN)
    }
}

impl Sample {
    /// The scores of its parts by their names; nothing if it has no such parts.
    pub fn by_name(&self) -> HashMap<&str, f64> {
        match self {
            Self::Units { scores, .. } => {
                scores.iter().map(|(name, score)| (name.as_str(), *score)).collect()
            }
            _ => HashMap::new(),
        }
    }
}

/// Scores of a name out of structs of scores, numbered from 1; none if they have no such number.
pub(super) fn numbered(what: &'static str, of: &[impl Serialize], name: &str) -> Sample {
    let score = |scores| serde_json::to_value(scores).ok()?.get(name)?.as_f64();
    let scores: Option<Vec<f64>> = of.iter().map(score).collect();
    match scores {
        Some(scores) => {
            let names = (1..).map(|number: usize| number.to_string());
            Sample::Units { what, scores: names.zip(scores).collect() }
        }
        None => Sample::Whole,
    }
}
