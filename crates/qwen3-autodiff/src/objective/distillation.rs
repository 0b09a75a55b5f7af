//! A student's rows against a teacher's.

use super::{constant, unit_rows};
use burn::tensor::{Tensor, backend::Backend};

/// Rows point where a teacher's do, and are as similar to each other:
///
/// ```text
///   mean of (1 − cos(row, target))
///   + similarity_weight · the sum, over dimensions, of the mean of (cos(rowᵢ, rowⱼ) − cos(targetᵢ, targetⱼ))²
/// ```
///
/// where similarities of rows are those of their first so many dimensions, and
/// targets are whole.
#[derive(Clone, Debug)]
pub struct Distillation<'a> {
    /// `[N, W]`, a unit vector for each row; rows are compared in their first `W` dimensions.
    pub targets: &'a [f32],
    /// What the second term counts; 0 leaves it out.
    pub similarity_weight: f64,
    /// Widths at which similarities are compared.
    pub dimensions: &'a [usize],
}

impl Distillation<'_> {
    pub(super) fn loss<B: Backend>(&self, rows: Tensor<B, 2>) -> Tensor<B, 1> {
        let n = rows.dims()[0];
        let width = self.targets.len() / n;
        let targets: Tensor<B, 2> = constant(self.targets, [n, width], &rows.device());
        let cosines = (unit_rows(rows.clone(), width) * targets.clone()).sum_dim(1);
        let mut loss = -cosines.mean() + 1.0;
        if self.similarity_weight > 0.0 {
            let wanted = targets.clone().matmul(targets.transpose()); // [N, N]
            for &dimensions in self.dimensions {
                let rows = unit_rows(rows.clone(), dimensions);
                let found = rows.clone().matmul(rows.transpose());
                let squares = (found - wanted.clone()).powi_scalar(2).mean();
                loss = loss + squares * self.similarity_weight;
            }
        }
        loss
    }
}
