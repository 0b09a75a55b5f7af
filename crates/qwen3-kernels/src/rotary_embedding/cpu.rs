//! Rotary position embedding on Burn Flex: one pass in place, tokens in parallel.

use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;
use rayon::prelude::*;

/// Tokens of one task, so that a task outweighs its scheduling.
const TOKENS_PER_TASK: usize = 8;

/// See [`crate::rotary_embedding()`].
pub(crate) fn rotary_embedding(
    x: Tensor<Flex, 3>,
    cos: Tensor<Flex, 2>,
    sin: Tensor<Flex, 2>,
) -> Tensor<Flex, 3> {
    let [tokens, heads, width] = x.dims();
    let half = width / 2;
    assert_eq!(cos.dims(), [tokens, half], "rotary_embedding: an angle per token and pair");
    assert_eq!(sin.dims(), [tokens, half], "rotary_embedding: an angle per token and pair");
    let mut x = x.into_primitive().tensor().to_contiguous();
    let cos = cos.into_primitive().tensor().to_contiguous();
    let sin = sin.into_primitive().tensor().to_contiguous();
    let angles =
        cos.storage::<f32>().chunks_exact(half).zip(sin.storage::<f32>().chunks_exact(half));
    let angles: Vec<(&[f32], &[f32])> = angles.collect();
    x.storage_mut::<f32>()
        .par_chunks_mut(TOKENS_PER_TASK * heads * width)
        .zip(angles.par_chunks(TOKENS_PER_TASK))
        .for_each(|(x, angles)| {
            for (token, (cos, sin)) in x.chunks_exact_mut(heads * width).zip(angles) {
                for head in token.chunks_exact_mut(width) {
                    let (first, second) = head.split_at_mut(half);
                    let pairs = first.iter_mut().zip(second);
                    for ((x, y), (&cos, &sin)) in pairs.zip(cos.iter().zip(*sin)) {
                        (*x, *y) = (*x * cos - *y * sin, *y * cos + *x * sin);
                    }
                }
            }
        });
    Tensor::from_primitive(TensorPrimitive::Float(x))
}
