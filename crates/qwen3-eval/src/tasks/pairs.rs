//! Pairs of texts, and summaries.

use super::evaluation::{Evaluation, Role, Rows, Sample};
use super::kind::TaskType;
use crate::error::same_count;
use crate::vectors::cosine;
use crate::{
    Error, LabelIds, NamedScores, Summaries, Table, Vectors, bitext_mining, nearest,
    pair_classification, sts, summarization,
};

/// Rows of two texts.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    left: Vec<String>,
    right: Vec<String>,
    gold: Gold,
}

#[derive(Clone, Debug)]
enum Gold {
    Scores(Vec<f64>),
    Labels(Vec<i64>),
    /// The second text translates the first.
    Translations,
}

impl Pairs {
    pub fn new(table: &Table, task: TaskType) -> Result<Self, Error> {
        let gold = match task {
            TaskType::Sts => Gold::Scores(table.numbers("score")?),
            TaskType::PairClassification => Gold::Labels(labels(table)?),
            _ => Gold::Translations,
        };
        let (left, right) = (table.texts("sentence1")?, table.texts("sentence2")?);
        Ok(Self { left, right, gold })
    }

    pub fn texts(&self) -> usize {
        self.left.len() + self.right.len()
    }

    pub fn evaluate<E: From<Error>>(
        &self,
        main_score: &str,
        mut embed: impl FnMut(Role, &[String]) -> Result<Rows, E>,
    ) -> Result<Evaluation, E> {
        let (left, right) = (embed(Role::Text, &self.left)?, embed(Role::Text, &self.right)?);
        let (left, right) = (left.vectors()?, right.vectors()?);
        same_count("vectors of second texts", right.len(), left.len())?;
        let (scores, sample) = self.scores(&left, &right, main_score)?;
        Ok(Evaluation { scores, main_score: main_score.to_owned(), sample }.checked()?)
    }

    fn scores(
        &self,
        left: &Vectors,
        right: &Vectors,
        main_score: &str,
    ) -> Result<(NamedScores, Sample), Error> {
        let cosines = || -> Vec<f64> {
            // Rounded as for the scores themselves, so that the same pairs tie.
            left.rows().zip(right.rows()).map(|(a, b)| f64::from(cosine(a, b) as f32)).collect()
        };
        Ok(match &self.gold {
            Gold::Scores(gold) => {
                let scores = NamedScores::from(&sts(left, right, gold)?);
                (scores, pairs(main_score == "cosine_spearman", cosines, (gold, false)))
            }
            Gold::Labels(labels) => {
                let scores = NamedScores::from(&pair_classification(left, right, labels)?);
                let gold: Vec<f64> = labels.iter().map(|label| *label as f64).collect();
                let is_average_precision = ["max_ap", "cosine_ap"].contains(&main_score);
                (scores, pairs(is_average_precision, cosines, (&gold, true)))
            }
            Gold::Translations => {
                let gold: Vec<usize> = (0..left.len()).collect();
                let scores = NamedScores::from(&bitext_mining(left, right, &gold)?);
                (scores, translated(left, right)?)
            }
        })
    }
}

fn pairs(
    is_compared: bool,
    cosines: impl Fn() -> Vec<f64>,
    (gold, is_label): (&[f64], bool),
) -> Sample {
    match is_compared {
        true => Sample::Pairs { similarities: cosines(), gold: gold.to_vec(), is_label },
        false => Sample::Whole,
    }
}

/// Whether each sentence finds its translation.
fn translated(left: &Vectors, right: &Vectors) -> Result<Sample, Error> {
    let found = nearest(left, right, 1)?;
    let is_right = |(row, found): (usize, &Vec<crate::Neighbour>)| {
        let is_right = found.first().is_some_and(|found| found.document == row);
        ((row + 1).to_string(), f64::from(is_right))
    };
    let scores = found.iter().enumerate().map(is_right).collect();
    Ok(Sample::Units { what: "sentence", scores })
}

/// mteb calls the column `labels`.
fn labels(table: &Table) -> Result<Vec<i64>, Error> {
    let labels = table.labels(if table.has("labels") { "labels" } else { "label" })?;
    LabelIds::new(&labels)?.ids(&labels)
}

/// Texts with summaries by people and by machines.
#[derive(Clone, Debug)]
pub(super) struct Summarized {
    human: Vec<Vec<String>>,
    machine: Vec<Vec<String>>,
    gold: Vec<Vec<f64>>,
}

impl Summarized {
    pub fn new(table: &Table) -> Result<Self, Error> {
        let human = table.text_lists("human_summaries")?;
        let machine = table.text_lists("machine_summaries")?;
        let gold = table.number_lists("relevance")?;
        Ok(Self { human, machine, gold })
    }

    pub fn texts(&self) -> usize {
        self.human.iter().chain(&self.machine).map(Vec::len).sum()
    }

    pub fn evaluate<E: From<Error>>(
        &self,
        main_score: &str,
        mut embed: impl FnMut(Role, &[String]) -> Result<Rows, E>,
    ) -> Result<Evaluation, E> {
        let mut rows = vec![];
        for (human, machine) in self.human.iter().zip(&self.machine) {
            crate::error::at_least("summaries of people", human.len(), 1)?;
            crate::error::at_least("summaries of machines", machine.len(), 1)?;
            rows.push((embed(Role::Text, human)?, embed(Role::Text, machine)?));
        }
        let texts = rows.iter().zip(&self.gold).map(|((human, machine), gold)| {
            Ok(Summaries { human: human.vectors()?, machine: machine.vectors()?, gold })
        });
        let texts = texts.collect::<Result<Vec<_>, Error>>()?;
        let scores = NamedScores::from(&summarization(&texts)?);
        // A text whose scores are all the same counts for nothing.
        let each = texts.iter().enumerate().filter_map(|(row, text)| {
            let scores = NamedScores::from(&summarization(&[*text]).ok()?);
            Some(((row + 1).to_string(), scores.get(main_score)?))
        });
        let sample = Sample::Units { what: "text", scores: each.collect() };
        Ok(Evaluation { scores, main_score: main_score.to_owned(), sample }.checked()?)
    }
}
