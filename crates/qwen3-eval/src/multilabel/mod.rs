//! Multilabel classification: do a vector's nearest neighbours have its labels?

mod stratify;

pub use stratify::stratified_rows;

use crate::error::{at_least, same_count};
use crate::random::{Generator, SEED};
use crate::sums::mean;
use crate::{Error, Vectors};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const EXPERIMENTS: usize = 10;
const SAMPLES_PER_LABEL: usize = 8;
const NEIGHBOURS: usize = 5;

/// The measures of one experiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MultilabelMeasures {
    /// The part of rows whose labels are all told.
    pub accuracy: f64,
    /// Label ranking average precision.
    pub lrap: f64,
    /// The mean F1 of the labels.
    pub f1: f64,
    /// The mean part of labels that are both a row's and told, among those that are either.
    pub hamming: f64,
}

/// What mteb reports of a multilabel task. Its main score is `accuracy` or `lrap`, by task.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MultilabelScores {
    /// Means over the experiments.
    #[serde(flatten)]
    pub mean: MultilabelMeasures,
    /// Each experiment, with its own examples.
    pub scores_per_experiment: Vec<MultilabelMeasures>,
}

/// Tells the labels of each test vector by its five nearest examples, ten times with other examples,
/// which are those of mteb. Of equally near ones the earlier drawn is taken. A label that no
/// test row has is left out. mteb tests no more than 3,000 rows: [`stratified_rows`] says which.
///
/// # Errors
/// If the lists don't belong together, the test has fewer than two labels, or there are fewer
/// than five examples.
pub fn multilabel_classification(
    train: (&Vectors, &[Vec<i64>]),
    test: (&Vectors, &[Vec<i64>]),
) -> Result<MultilabelScores, Error> {
    same_count("label lists to learn from", train.1.len(), train.0.len())?;
    multilabel_of(train, &multilabel_examples(train.1), test)
}

/// The same with the rows of each experiment given.
pub(crate) fn multilabel_of(
    train: (&Vectors, &[Vec<i64>]),
    examples: &[Vec<usize>],
    test: (&Vectors, &[Vec<i64>]),
) -> Result<MultilabelScores, Error> {
    let ((train, labels), (test, test_labels)) = (train, test);
    same_count("label lists to learn from", labels.len(), train.len())?;
    same_count("label lists of the test", test_labels.len(), test.len())?;
    train.same_width(test)?;
    let classes = classes_of_test(test_labels, examples)?;
    let truth = binarized(test_labels, &classes);
    let known = binarized(labels, &classes);
    let mut scores = vec![];
    for examples in examples {
        let tell = |row: usize| told(test.row(row), train, examples, &known);
        let predicted: Vec<Vec<bool>> = (0..test.len()).into_par_iter().map(tell).collect();
        scores.push(measures(&truth, &predicted));
    }
    let of =
        |field: fn(&MultilabelMeasures) -> f64| mean(&scores.iter().map(field).collect::<Vec<_>>());
    let mean = MultilabelMeasures {
        accuracy: of(|scores| scores.accuracy),
        lrap: of(|scores| scores.lrap),
        f1: of(|scores| scores.f1),
        hamming: of(|scores| scores.hamming),
    };
    Ok(MultilabelScores { mean, scores_per_experiment: scores })
}

/// The labels of a test, of which there are two at least, where each experiment has its neighbours.
pub(crate) fn classes_of_test(
    test_labels: &[Vec<i64>],
    examples: &[Vec<usize>],
) -> Result<Vec<i64>, Error> {
    let classes: BTreeSet<i64> = test_labels.iter().flatten().copied().collect();
    at_least("labels of the test", classes.len(), 2)?;
    for examples in examples {
        at_least("examples of an experiment", examples.len(), NEIGHBOURS)?;
    }
    Ok(classes.into_iter().collect())
}

/// The rows that each experiment learns from, in the order in which mteb draws them. Other rows
/// needn't be embedded.
pub fn multilabel_examples(labels: &[Vec<i64>]) -> Vec<Vec<usize>> {
    let mut random = Generator::new(SEED);
    let mut draw = || {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        random.shuffle(&mut order);
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        order.retain(|&row| {
            let few =
                |label: &i64| counts.get(label).is_none_or(|count| *count < SAMPLES_PER_LABEL);
            let is_wanted = labels[row].iter().any(few);
            if is_wanted {
                labels[row].iter().for_each(|label| *counts.entry(*label).or_default() += 1);
            }
            is_wanted
        });
        order
    };
    (0..EXPERIMENTS).map(|_| draw()).collect()
}

/// Whether each row has each of the classes, which are sorted.
fn binarized(labels: &[Vec<i64>], classes: &[i64]) -> Vec<Vec<bool>> {
    let of = |row: &Vec<i64>| classes.iter().map(|class| row.contains(class)).collect();
    labels.iter().map(of).collect()
}

fn told(row: &[f32], train: &Vectors, examples: &[usize], known: &[Vec<bool>]) -> Vec<bool> {
    let square = |(x, y): (&f32, &f32)| (f64::from(*x) - f64::from(*y)).powi(2);
    let distance = |&at: &usize| row.iter().zip(train.row(at)).map(square).sum::<f64>();
    let mut near: Vec<(f64, usize)> = examples.iter().map(|at| (distance(at), *at)).collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    let votes =
        |label: usize| near[..NEIGHBOURS].iter().filter(|(_, at)| known[*at][label]).count();
    (0..known[0].len()).map(|label| votes(label) > NEIGHBOURS / 2).collect()
}

fn measures(truth: &[Vec<bool>], predicted: &[Vec<bool>]) -> MultilabelMeasures {
    let rows = || truth.iter().zip(predicted);
    let mean_of =
        |of: fn(&[bool], &[bool]) -> f64| mean(&rows().map(|(a, b)| of(a, b)).collect::<Vec<_>>());
    let f1 = |label: usize| {
        let count = |of: &dyn Fn(bool, bool) -> bool| {
            rows().filter(|(a, b)| of(a[label], b[label])).count()
        };
        let (both, either) = (count(&|a, b| a && b), count(&|a, _| a) + count(&|_, b| b));
        if either == 0 { 0.0 } else { 2.0 * both as f64 / either as f64 }
    };
    MultilabelMeasures {
        accuracy: mean_of(|a, b| f64::from(a == b)),
        lrap: mean_of(ranking_precision),
        f1: mean(&(0..truth[0].len()).map(f1).collect::<Vec<_>>()),
        hamming: mean_of(overlap),
    }
}

/// The label ranking average precision of a row whose scores are 1 for what was told, else 0.
fn ranking_precision(truth: &[bool], told: &[bool]) -> f64 {
    let count = |of: fn(bool, bool) -> bool| {
        truth.iter().zip(told).filter(|(a, b)| of(**a, **b)).count() as f64
    };
    let relevant = count(|truth, _| truth);
    if relevant == 0.0 || relevant == truth.len() as f64 {
        return 1.0;
    }
    // Equal scores share the last of their ranks.
    let (hits, ranked_first) = (count(|truth, told| truth && told), count(|_, told| told));
    let first = if hits > 0.0 { hits * hits / ranked_first } else { 0.0 };
    (first + (relevant - hits) * relevant / truth.len() as f64) / relevant
}

fn overlap(truth: &[bool], told: &[bool]) -> f64 {
    let count = |of: fn(bool, bool) -> bool| {
        truth.iter().zip(told).filter(|(a, b)| of(**a, **b)).count() as f64
    };
    let either = count(|truth, told| truth || told);
    if either == 0.0 { 1.0 } else { count(|truth, told| truth && told) / either }
}
