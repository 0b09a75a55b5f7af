//! What goes into an evaluation, and what comes of it.

use crate::{Error, NamedScores, Vectors};
use serde::Serialize;

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
    /// The rows, if they are what [`Vectors::new`] takes.
    pub(super) fn vectors(&self) -> Result<Vectors<'_>, Error> {
        Vectors::new(&self.numbers, self.width)
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
}

/// The parts of a score.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// The score is the mean of those of queries, experiments, runs or texts.
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
    /// The score that counts; NaN if the task has no number of this name.
    pub fn main(&self) -> f64 {
        self.scores.get(&self.main_score).unwrap_or(f64::NAN)
    }

    /// Checks that there is a score by the name of the main one.
    pub(super) fn checked(self) -> Result<Self, Error> {
        if self.scores.get(&self.main_score).is_some() {
            return Ok(self);
        }
        let range = "must be the name of a score of this type of task";
        Err(Error::Setting { setting: "main_score", value: self.main_score, range })
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
