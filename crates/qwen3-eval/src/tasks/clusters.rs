//! Texts with categories, in levels.

use super::evaluation::{Evaluation, Role, Rows, Sample};
use super::labelled::{either, texts};
use crate::clustering::NONE;
use crate::{Clustering, ClusteringSize, Error, Label, LabelIds, NamedScores, Table};

/// Rows of a text with its category at each level.
#[derive(Clone, Debug)]
pub(super) struct Categorized {
    texts: Vec<String>,
    labels: Vec<Vec<i64>>,
    size: ClusteringSize,
}

impl Categorized {
    pub fn new(table: &Table, fraction: Option<f64>) -> Result<Self, Error> {
        let labels = table.label_lists(either(table, ["labels", "label"]))?;
        let size = ClusteringSize { fraction, ..ClusteringSize::default() };
        let check = || {
            let (task, labels) = (Clustering::new(labels.len(), size)?, numbers(&labels)?);
            task.levels(&drawn(&task, &labels))?;
            Ok(labels)
        };
        let labels = check().map_err(|error: Error| error.of_file(table.path()))?;
        Ok(Self { texts: texts(table)?, labels, size })
    }

    pub fn texts(&self) -> usize {
        Clustering::new(self.texts.len(), self.size).map_or(0, |task| task.documents().len())
    }

    pub fn evaluate<E: From<Error>>(
        &self,
        main_score: &str,
        mut embed: impl FnMut(Role, &[String]) -> Result<Rows, E>,
    ) -> Result<Evaluation, E> {
        let task = Clustering::new(self.texts.len(), self.size)?;
        let (texts, labels) = (drawn(&task, &self.texts), drawn(&task, &self.labels));
        let scores = task.evaluate(&embed(Role::Text, &texts)?.of(&texts)?, &labels)?;
        let of_runs = match main_score {
            "v_measure" => Some(&scores.v_measures),
            "ami" => Some(&scores.ami_scores),
            _ => None,
        };
        let sample = of_runs.map_or(Sample::Whole, |levels| {
            let runs = levels.iter().flat_map(|(level, runs)| {
                runs.iter()
                    .zip(1..)
                    .map(move |(score, run)| (format!("{level}, run {run}"), *score))
            });
            Sample::Units { what: "run", scores: runs.collect() }
        });
        let scores = NamedScores::from(&scores);
        Ok(Evaluation { scores, main_score: main_score.to_owned(), sample, missing: vec![] })
    }
}

/// What is kept of rows that are drawn.
fn drawn<T: Clone>(task: &Clustering, rows: &[T]) -> Vec<T> {
    task.documents().iter().map(|&row| rows[row].clone()).collect()
}

/// Level by level, since one may have names and another numbers. Where others have names, a
/// document without one is in a category of those that have none: mteb's -1 for it becomes a
/// name among names. Among numbers it is left out.
fn numbers(labels: &[Vec<Label>]) -> Result<Vec<Vec<i64>>, Error> {
    let levels = labels.iter().map(Vec::len).max().unwrap_or(0);
    let mut numbers = vec![vec![]; labels.len()];
    let absent = Label::Name(NONE.to_string());
    for level in 0..levels {
        let of_level = labels.iter().filter_map(|labels| labels.get(level));
        let has_names = of_level.clone().any(|label| matches!(label, Label::Name(_)));
        let ids = LabelIds::new(of_level.chain(has_names.then_some(&absent)))?;
        for (row, numbers) in labels.iter().zip(&mut numbers) {
            numbers.push(ids.id(row.get(level).unwrap_or(&absent)).unwrap_or(NONE));
        }
    }
    Ok(numbers)
}
