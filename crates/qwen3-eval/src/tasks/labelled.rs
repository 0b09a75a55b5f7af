//! Texts with labels, some to learn from and others to tell.

use super::evaluation::{Evaluation, Role, Rows, numbered};
use crate::classification::{classify, examples};
use crate::multilabel::{multilabel_examples, multilabel_of, stratified_rows};
use crate::{Error, Label, LabelIds, NamedScores, Table, Vectors};
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
        let ids = LabelIds::new(of_train.iter().chain(&of_test).flatten())?;
        let part = |table: &Table, labels: &[Vec<Label>]| {
            let labels = labels.iter().map(|labels| ids.ids(labels)).collect::<Result<_, _>>()?;
            Ok::<Part, Error>(Part { texts: texts(table)?, labels })
        };
        let mut test = part(test, &of_test)?;
        if has_several {
            let kept = stratified_rows(&test.labels, MAX_MULTILABEL_ROWS)?;
            test = test.only(&kept);
        }
        Ok(Self { train: part(train, &of_train)?, test, has_several })
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
        crate::error::at_least("rows to learn from", train.texts.len(), 1)?;
        let (known, asked) =
            (embed(Role::Text, &train.texts)?, embed(Role::Text, &self.test.texts)?);
        let (known, asked) = (known.vectors()?, asked.vectors()?);
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
        Evaluation { scores, main_score: main_score.to_owned(), sample }.checked()
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
    labels.iter().map(|labels| labels[0]).collect()
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
