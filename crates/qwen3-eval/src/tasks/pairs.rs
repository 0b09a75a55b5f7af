//! Pairs of texts.

use super::evaluation::{Evaluation, Role, Rows, Sample};
use super::kind::TaskType;
use super::labelled::either;
use crate::correlation::check_differ;
use crate::pairs::positives;
use crate::vectors::cosine;
use crate::{Error, NamedScores, Table, Vectors, bitext_mining, nearest, pair_classification, sts};

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
        let (gold, check) = match task {
            TaskType::Sts => {
                let gold = table.numbers("score")?;
                let check = check_differ("human scores", &gold);
                (Gold::Scores(gold), check)
            }
            TaskType::PairClassification => {
                let labels = table.zeros_and_ones(either(table, ["labels", "label"]))?;
                let check = positives(&labels).map(drop);
                (Gold::Labels(labels), check)
            }
            _ => (Gold::Translations, Ok(())),
        };
        check.map_err(|error| error.of_file(table.path()))?;
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
        let (left, right) = (left.of(&self.left)?, right.of(&self.right)?);
        let (scores, sample) = self.scores(&left, &right, main_score)?;
        Ok(Evaluation { scores, main_score: main_score.to_owned(), sample, missing: vec![] })
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
