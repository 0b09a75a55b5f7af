//! Texts with labels, some to learn from and others to tell.

use super::evaluation::{Evaluation, Role, Rows, numbered};
use crate::classification::{classes, classify, examples};
use crate::multilabel::{classes_of_test, multilabel_examples, multilabel_of, stratified_rows};
use crate::{ClassScores, Error, Label, LabelIds, NamedScores, Table, Vectors};
use std::collections::BTreeSet;

/// mteb tests no more rows with several labels.
const MAX_MULTILABEL_ROWS: usize = 3_000;

/// Rows of a text with one label or several.
#[derive(Clone, Debug)]
pub(super) struct Labelled {
    train: Part,
    test: Part,
    has_several: bool,
}

#[derive(Clone, Debug)]
struct Part {
    texts: Vec<String>,
    labels: Vec<Vec<i64>>,
}

/// The rows to learn from of each experiment, as positions among those that are embedded.
struct Examples {
    rows: Vec<usize>,
    of_experiments: Vec<Vec<usize>>,
}

impl Labelled {
    pub fn new(train: &Table, test: &Table, has_several: bool) -> Result<Self, Error> {
        let of_train = labels(train, has_several)?;
        let of_test = labels(test, has_several)?;
        let of_file = |table: &Table, error: Error| error.of_file(table.path());
        let ids = LabelIds::new(of_train.iter().chain(&of_test).flatten())
            .map_err(|error| of_file(test, error))?;
        let part = |table: &Table, labels: &[Vec<Label>]| {
            let labels = labels.iter().map(|labels| ids.ids(labels)).collect::<Result<_, _>>()?;
            Ok::<Part, Error>(Part { texts: texts(table)?, labels })
        };
        let mut of =
            Self { train: part(train, &of_train)?, test: part(test, &of_test)?, has_several };
        if has_several {
            of.test = of.test.only(&stratified_rows(&of.test.labels, MAX_MULTILABEL_ROWS)?);
            let examples = multilabel_examples(&of.train.labels);
            classes_of_test(&of.test.labels, &examples).map_err(|error| of_file(test, error))?;
        } else {
            classes(&firsts(&of.train.labels)).map_err(|error| of_file(train, error))?;
        }
        Ok(of)
    }

    /// Whether there is a score by the name of one of the type's: average precision is for two labels.
    pub fn has_score(&self, name: &str) -> bool {
        let labels = firsts(&self.test.labels);
        let perfect = || ClassScores::new(&labels, &labels);
        self.has_several || !["ap", "ap_weighted"].contains(&name) || perfect().ap.is_some()
    }

    pub fn texts(&self) -> usize {
        self.examples().rows.len() + self.test.texts.len()
    }

    fn examples(&self) -> Examples {
        let mut of_experiments = match self.has_several {
            true => multilabel_examples(&self.train.labels),
            false => examples(&firsts(&self.train.labels)),
        };
        let rows: BTreeSet<usize> = of_experiments.iter().flatten().copied().collect();
        let rows: Vec<usize> = rows.into_iter().collect();
        let inside = |row: &mut usize| *row = rows.partition_point(|other| *other < *row);
        of_experiments.iter_mut().flatten().for_each(inside);
        Examples { rows, of_experiments }
    }

    pub fn evaluate<E: From<Error>>(
        &self,
        main_score: &str,
        mut embed: impl FnMut(Role, &[String]) -> Result<Rows, E>,
    ) -> Result<Evaluation, E> {
        let examples = self.examples();
        let train = self.train.only(&examples.rows);
        let (known, asked) =
            (embed(Role::Text, &train.texts)?, embed(Role::Text, &self.test.texts)?);
        let (known, asked) = (known.of(&train.texts)?, asked.of(&self.test.texts)?);
        Ok(self.scores((&known, &train.labels), &asked, (&examples.of_experiments, main_score))?)
    }

    fn scores(
        &self,
        (known, labels): (&Vectors, &[Vec<i64>]),
        asked: &Vectors,
        (examples, main_score): (&[Vec<usize>], &str),
    ) -> Result<Evaluation, Error> {
        let (scores, sample) = if self.has_several {
            let of = multilabel_of((known, labels), examples, (asked, &self.test.labels))?;
            let sample = numbered("experiment", &of.scores_per_experiment, main_score);
            (NamedScores::from(&of), sample)
        } else {
            let (labels, of_test) = (firsts(labels), firsts(&self.test.labels));
            let of = classify((known, &labels), examples, (asked, &of_test))?;
            let sample = numbered("experiment", &of.scores_per_experiment, main_score);
            (NamedScores::from(&of), sample)
        };
        Ok(Evaluation { scores, main_score: main_score.to_owned(), sample, missing: vec![] })
    }
}

impl Part {
    fn only(&self, rows: &[usize]) -> Self {
        Self {
            texts: rows.iter().map(|&row| self.texts[row].clone()).collect(),
            labels: rows.iter().map(|&row| self.labels[row].clone()).collect(),
        }
    }
}

/// The only label of each row.
fn firsts(labels: &[Vec<i64>]) -> Vec<i64> {
    labels.iter().filter_map(|labels| labels.first().copied()).collect()
}

/// Of both names that mteb has for a column, the one that is there.
pub(super) fn either<'a>(table: &Table, names: [&'a str; 2]) -> &'a str {
    if table.has(names[0]) { names[0] } else { names[1] }
}

pub(super) fn texts(table: &Table) -> Result<Vec<String>, Error> {
    table.texts(either(table, ["sentences", "text"]))
}

fn labels(table: &Table, has_several: bool) -> Result<Vec<Vec<Label>>, Error> {
    let column = either(table, ["labels", "label"]);
    match has_several {
        true => table.label_lists(column),
        false => Ok(table.labels(column)?.into_iter().map(|label| vec![label]).collect()),
    }
}
