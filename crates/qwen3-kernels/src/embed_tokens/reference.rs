//! The table's rows in plain Burn operations.

use crate::Weight;
use burn::tensor::{DType, Int, Tensor, backend::Backend};

/// See [`crate::Kernels::embed_tokens`].
pub fn embed_tokens<B: Backend>(table: Weight<B>, ids: Tensor<B, 1, Int>) -> Tensor<B, 2> {
    table.widened().select(0, ids).cast(DType::F32)
}
