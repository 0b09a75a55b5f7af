//! The rotation backwards on Burn Flex: in place, tokens in parallel.

use crate::cpu::isa::Isa;
use crate::cpu::vectorized::vectorized;
use crate::linear::cpu::contiguous;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;
use rayon::prelude::*;

/// Tokens of one task.
const TOKENS_PER_TASK: usize = 16;

/// See [`crate::Gradients::rotary_gradient`].
pub(crate) fn rotary(
    output: Tensor<Flex, 3>,
    cos: Tensor<Flex, 2>,
    sin: Tensor<Flex, 2>,
) -> Tensor<Flex, 3> {
    let [_, heads, width] = output.dims();
    let (mut x, cos, sin) = (contiguous(output), contiguous(cos), contiguous(sin));
    let isa = Isa::best();
    let angles = TOKENS_PER_TASK * width / 2;
    let (cos, sin) = (cos.storage::<f32>(), sin.storage::<f32>());
    x.storage_mut::<f32>()
        .par_chunks_mut(TOKENS_PER_TASK * heads * width)
        .zip(cos.par_chunks(angles).zip(sin.par_chunks(angles)))
        .for_each(|(x, (cos, sin))| rotate_back(isa, x, cos, sin, width));
    Tensor::from_primitive(TensorPrimitive::Float(x))
}

vectorized! {
    fn rotate_back(x: &mut [f32], cos: &[f32], sin: &[f32], width: usize) {
        let half = width / 2;
        let tokens = cos.len() / half;
        let columns = x.len() / tokens;
        let angles = cos.chunks_exact(half).zip(sin.chunks_exact(half));
        for (token, (cos, sin)) in x.chunks_exact_mut(columns).zip(angles) {
            for head in token.chunks_exact_mut(width) {
                let (first, second) = head.split_at_mut(half);
                let pairs = first.iter_mut().zip(second);
                for ((x, y), (&cos, &sin)) in pairs.zip(cos.iter().zip(sin)) {
                    (*x, *y) = (*x * cos + *y * sin, *y * cos - *x * sin);
                }
            }
        }
    }
}
