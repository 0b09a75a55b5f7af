//! Classification: can a linear model tell classes apart from a few examples of each?

mod lbfgs;
mod line_search;
mod logistic;

use crate::class_scores::ClassScores;
use crate::error::{at_least, same_count};
use crate::random::{RandomState, SEED};
use crate::{Error, Vectors};
use logistic::Logistic;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const EXPERIMENTS: usize = 10;
const SAMPLES_PER_LABEL: usize = 8;

/// What mteb reports of a classification task. Its main score is mostly `accuracy`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClassificationScores {
    /// Means over the experiments.
    #[serde(flatten)]
    pub mean: ClassScores,
    /// Each experiment, with its own examples.
    pub scores_per_experiment: Vec<ClassScores>,
}

/// Learns from eight examples of each label, ten times, and predicts the labels of the test
/// vectors.
///
/// The examples are those of mteb. The classifier is scikit-learn's logistic regression with
/// `C` = 1 and at most 100 steps. Its solver is followed step by step, because it stops well before
/// the last digits: vectors in the middle between two classes are told by where it stops.
///
/// # Errors
/// If the lists don't belong together, one is empty, or the examples have one label only.
pub fn classification(
    train: (&Vectors, &[i64]),
    test: (&Vectors, &[i64]),
) -> Result<ClassificationScores, Error> {
    same_count("labels to learn from", train.1.len(), train.0.len())?;
    classify(train, &examples(train.1), test)
}

/// The same with the rows of each experiment given.
pub(crate) fn classify(
    train: (&Vectors, &[i64]),
    examples: &[Vec<usize>],
    test: (&Vectors, &[i64]),
) -> Result<ClassificationScores, Error> {
    let ((train, labels), (test, test_labels)) = (train, test);
    same_count("labels to learn from", labels.len(), train.len())?;
    same_count("labels of the test", test_labels.len(), test.len())?;
    at_least("labels of the test", test_labels.len(), 1)?;
    train.same_width(test)?;
    let classes = classes(labels)?;
    let experiment = |rows: &Vec<usize>| {
        let vectors: Vec<&[f32]> = rows.iter().map(|&row| train.row(row)).collect();
        let class_of = |row: &usize| classes.partition_point(|class| *class < labels[*row]);
        let model =
            Logistic::fit(&vectors, &rows.iter().map(class_of).collect::<Vec<_>>(), classes.len());
        let predicted: Vec<i64> = test.rows().map(|row| classes[model.predict(row)]).collect();
        ClassScores::new(test_labels, &predicted)
    };
    let scores: Vec<_> = examples.par_iter().map(experiment).collect();
    Ok(ClassificationScores { mean: ClassScores::mean(&scores), scores_per_experiment: scores })
}

/// The classes of labels to learn from, of which there are two at least.
pub(crate) fn classes(labels: &[i64]) -> Result<Vec<i64>, Error> {
    let classes: BTreeSet<i64> = labels.iter().copied().collect();
    match classes.len() {
        0 | 1 => Err(Error::OneClass { what: "labels to learn from" }),
        _ => Ok(classes.into_iter().collect()),
    }
}

/// The rows that each experiment learns from: those that mteb draws. Other rows needn't be
/// embedded.
pub fn examples(labels: &[i64]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    let mut draw = || {
        // Each experiment shuffles what the one before it left.
        RandomState::new(SEED).shuffle(&mut order);
        let mut counts = BTreeMap::new();
        let mut is_wanted = |row: &usize| {
            let count: &mut usize = counts.entry(labels[*row]).or_default();
            *count += 1;
            *count <= SAMPLES_PER_LABEL
        };
        order.iter().copied().filter(&mut is_wanted).collect()
    };
    (0..EXPERIMENTS).map(|_| draw()).collect()
}
