//! What training makes smaller: a number of all pooled rows of a step.

mod contrastive;
mod distillation;

use burn::tensor::{Tensor, TensorData, activation, backend::Backend};

pub use contrastive::Contrastive;
pub use distillation::Distillation;

/// What a step makes smaller. Rows are numbered in the order of the step's
/// sequences, over all of its batches.
#[derive(Clone, Debug)]
pub enum Objective<'a> {
    /// An anchor is closer to its positive than to anything else.
    Contrastive(Contrastive<'a>),
    /// Rows point where a teacher's do.
    Distillation(Distillation<'a>),
    /// Binary cross-entropy of the scores: the mean of
    /// `softplus(log_odds) − label · log_odds`, with a label of 0 to 1 for each row.
    YesNo {
        /// The wanted score of each row.
        labels: &'a [f32],
    },
    /// The sum of `row · direction`: a loss that was computed elsewhere, whose
    /// gradient with respect to each row is its direction.
    Linear {
        /// `[N, C]`
        directions: &'a [f32],
    },
}

impl Objective<'_> {
    /// The loss of rows `[N, C]`; `log_odds` makes scores `[N]` of them.
    pub(crate) fn loss<B: Backend>(
        &self,
        rows: Tensor<B, 2>,
        log_odds: impl FnOnce(Tensor<B, 2>) -> Tensor<B, 1>,
    ) -> Tensor<B, 1> {
        match self {
            Self::Contrastive(contrastive) => contrastive.loss(rows),
            Self::Distillation(distillation) => distillation.loss(rows),
            Self::Linear { directions } => {
                let directions = constant(directions, rows.dims(), &rows.device());
                (rows * directions).sum()
            }
            Self::YesNo { labels } => {
                let labels = constant(labels, [labels.len()], &rows.device());
                let log_odds = log_odds(rows);
                (activation::softplus(log_odds.clone(), 1.0) - labels * log_odds).mean()
            }
        }
    }
}

/// The first `dimensions` of each row, scaled to length 1.
fn unit_rows<B: Backend>(rows: Tensor<B, 2>, dimensions: usize) -> Tensor<B, 2> {
    let cut = rows.narrow(1, 0, dimensions);
    // The square root has no slope at 0.
    let squares = cut.clone().powi_scalar(2).sum_dim(1).clamp_min(1e-24);
    cut / squares.sqrt()
}

/// Numbers of the host, without a gradient.
fn constant<B: Backend, const D: usize>(
    values: &[f32],
    shape: [usize; D],
    device: &B::Device,
) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}
