//! What follows the network of a reranker, with a gradient.

use burn::tensor::{Tensor, backend::Backend};

/// `logit_yes − logit_no` of each row `[N, C]`, from the head's rows `[2, C]`, or
/// from one row that is their difference, `[1, C]`: `[N]`.
pub(crate) fn log_odds<B: Backend>(rows: Tensor<B, 2>, head: Tensor<B, 2>) -> Tensor<B, 1> {
    let weight = match head.dims()[0] {
        1 => head,
        _ => head.clone().narrow(0, 0, 1) - head.narrow(0, 1, 1),
    };
    (rows * weight).sum_dim(1).flatten(0, 1)
}
