//! A student's rows against a teacher's.

use super::{constant, unit_rows};
use burn::tensor::{Tensor, activation, backend::Backend};

/// Rows point where a teacher's do, and are as similar to each other:
///
/// ```text
///   mean of (1 − cos(row, target))
///   + similarity_weight · the sum, over dimensions, of the mean of (cos(rowᵢ, rowⱼ) − cos(targetᵢ, targetⱼ))²
///   + ranking_weight · the mean, over dimensions and i, of −the sum over j ≠ i of pᵢⱼ · log qᵢⱼ
/// ```
///
/// where `pᵢ` is the softmax of `cos(targetᵢ, targetⱼ) / temperature` over all `j ≠ i`, and `qᵢ` that of the
/// rows' similarities. Similarities of rows are those of their first so many dimensions, and
/// targets are whole. The second term counts all pairs alike, the third those that are near.
#[derive(Clone, Debug)]
pub struct Distillation<'a> {
    /// `[N, W]`, a unit vector for each row; rows are compared in their first `W` dimensions.
    pub targets: &'a [f32],
    /// What the second term counts; 0 leaves it out.
    pub similarity_weight: f64,
    /// What the third term counts; 0 leaves it out.
    pub ranking_weight: f64,
    /// How near counts as near in the third term.
    pub temperature: f64,
    /// Widths at which similarities are compared.
    pub dimensions: &'a [usize],
}

/// What keeps a row from being compared with itself.
const ITSELF: f64 = -1e4;

impl Distillation<'_> {
    pub(super) fn loss<B: Backend>(&self, rows: Tensor<B, 2>) -> Tensor<B, 1> {
        let n = rows.dims()[0];
        let width = self.targets.len() / n;
        let targets: Tensor<B, 2> = constant(self.targets, [n, width], &rows.device());
        let cosines = (unit_rows(rows.clone(), width) * targets.clone()).sum_dim(1);
        let mut loss = -cosines.mean() + 1.0;
        if self.similarity_weight == 0.0 && self.ranking_weight == 0.0 {
            return loss;
        }
        let wanted = targets.clone().matmul(targets.transpose()); // [N, N]
        let itself = Tensor::eye(n, &rows.device()) * ITSELF;
        let nearness = |x: Tensor<B, 2>| x / self.temperature + itself.clone();
        let shares = activation::softmax(nearness(wanted.clone()), 1);
        for &dimensions in self.dimensions {
            let rows = unit_rows(rows.clone(), dimensions);
            let found = rows.clone().matmul(rows.transpose());
            if self.ranking_weight > 0.0 {
                let log_shares = activation::log_softmax(nearness(found.clone()), 1);
                let crossed = -(shares.clone() * log_shares).sum_dim(1).mean();
                loss = loss + crossed * (self.ranking_weight / self.dimensions.len() as f64);
            }
            let squares = (found - wanted.clone()).powi_scalar(2).mean();
            loss = loss + squares * self.similarity_weight;
        }
        loss
    }
}
