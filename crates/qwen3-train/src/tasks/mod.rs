//! What is learned: which sequences a step has, and what is wanted of their rows.

mod distil;
mod embedding;
mod measures;
mod reranker;

pub(crate) use distil::Distil;
pub use distil::DistilData;
pub(crate) use embedding::Embedding;
pub use embedding::PairData;
pub use reranker::LabelData;
pub(crate) use reranker::Reranker;

use crate::data::DataFile;
use qwen3_engine::internals::training::{NamedTensor, Objective};
use serde_json::Value;

/// Numbers of held-out data, all better the higher; early stopping looks at the first.
pub(crate) type Measures = Vec<(&'static str, f64)>;

/// Something that a model is trained for.
pub(crate) trait Task: Sync {
    /// Its name, as in the command.
    fn name(&self) -> &'static str;

    /// The files that it has read.
    fn files(&self) -> &[DataFile];

    /// What decides its numbers beside the settings of every run.
    fn settings(&self) -> Value;

    /// Tokens of each example.
    fn lengths(&self) -> Vec<u32>;

    /// The sequences of these examples, and what is wanted of them.
    fn batch(&self, examples: &[u32]) -> Batch<'_>;

    /// What a step makes smaller.
    fn objective<'a>(&'a self, goal: &'a Goal) -> Objective<'a>;

    /// Sequences that are measured and never trained on.
    fn held_out(&self) -> Vec<&[u32]>;

    /// How good their rows `[N, C]` are.
    fn measures(&self, rows: &Rows) -> Measures;
}

/// Rows of held-out sequences, and what makes scores of them.
pub(crate) struct Rows {
    /// `[N, C]`
    pub values: Vec<f32>,
    /// `C`
    pub width: usize,
    /// The head's rows, as they are now.
    pub head: Option<NamedTensor>,
}

impl Rows {
    pub fn get(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..(row + 1) * self.width]
    }
}

/// What a step is about.
pub(crate) struct Batch<'a> {
    pub sequences: Vec<&'a [u32]>,
    pub goal: Goal,
}

/// What is wanted of the rows of a step.
#[derive(Debug, PartialEq)]
pub(crate) enum Goal {
    /// Unit vectors of so many numbers, one for each row.
    Targets { values: Vec<f32>, width: usize },
    /// Rows that belong together.
    Pairs {
        anchors: Vec<u32>,
        positives: Vec<u32>,
        negatives: Vec<(u32, u32)>,
        same_text: Vec<u32>,
    },
    /// The score of each row.
    Labels(Vec<f32>),
}

impl Goal {
    /// The same for rows of which the first is that of the sequence `order[0]`, and so on.
    pub fn reordered(self, order: &[usize]) -> Self {
        match self {
            Self::Targets { values, width } => {
                let of = |&row: &usize| values[row * width..(row + 1) * width].iter().copied();
                Self::Targets { values: order.iter().flat_map(of).collect(), width }
            }
            Self::Pairs { anchors, positives, negatives, same_text } => {
                let mut rows = vec![0; order.len()];
                order.iter().zip(0..).for_each(|(&sequence, row)| rows[sequence] = row);
                let moved = |of: Vec<u32>| of.into_iter().map(|at| rows[at as usize]).collect();
                let of_pairs = |(at, pair): (u32, u32)| (rows[at as usize], pair);
                let negatives = negatives.into_iter().map(of_pairs).collect();
                let [anchors, positives] = [anchors, positives].map(moved);
                let same_text = order.iter().map(|&sequence| same_text[sequence]).collect();
                Self::Pairs { anchors, positives, negatives, same_text }
            }
            Self::Labels(labels) => {
                Self::Labels(order.iter().map(|&sequence| labels[sequence]).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_follows_its_rows() {
        // The sequences 0, 1, 2, 3 are computed in this order.
        let order = [2, 0, 3, 1];
        let targets = Goal::Targets { values: vec![0., 0., 1., 1., 2., 2., 3., 3.], width: 2 };
        let values = vec![2., 2., 0., 0., 3., 3., 1., 1.];
        assert_eq!(targets.reordered(&order), Goal::Targets { values, width: 2 });
        let pairs = Goal::Pairs {
            anchors: vec![0, 2],
            positives: vec![1, 3],
            negatives: vec![],
            same_text: vec![5, 6, 7, 8],
        };
        let moved = Goal::Pairs {
            anchors: vec![1, 0],
            positives: vec![3, 2],
            negatives: vec![],
            same_text: vec![7, 5, 8, 6],
        };
        assert_eq!(pairs.reordered(&order), moved);
        let labels = Goal::Labels(vec![0.0, 0.1, 0.2, 0.3]);
        assert_eq!(labels.reordered(&order), Goal::Labels(vec![0.2, 0.0, 0.3, 0.1]));
    }
}
