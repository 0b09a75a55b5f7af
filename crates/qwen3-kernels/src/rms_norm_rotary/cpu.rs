//! The norm of each head and its rotation on Burn Flex: one pass in place,
//! tokens in parallel.

use crate::cpu::isa::Isa;
use crate::cpu::vectorized::vectorized;
use crate::linear::cpu::contiguous;
use crate::rms_norm::cpu::factor;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;
use rayon::prelude::*;

/// Tokens of one task, so that a task outweighs its scheduling.
const TOKENS_PER_TASK: usize = 8;

/// See [`crate::Kernels::rms_norm_rotary`].
pub(crate) fn rms_norm_rotary(
    x: Tensor<Flex, 3>,
    weight: Tensor<Flex, 1>,
    epsilon: f64,
    cos: Tensor<Flex, 2>,
    sin: Tensor<Flex, 2>,
) -> Tensor<Flex, 3> {
    let [tokens, heads, width] = x.dims();
    let half = width / 2;
    assert_eq!(weight.dims(), [width], "rms_norm_rotary: a weight per number of a head");
    assert_eq!(cos.dims(), [tokens, half], "rms_norm_rotary: an angle per token and pair");
    assert_eq!(sin.dims(), [tokens, half], "rms_norm_rotary: an angle per token and pair");
    let (mut x, weight) = (contiguous(x), contiguous(weight));
    let (cos, sin) = (contiguous(cos), contiguous(sin));
    let isa = Isa::best();
    let weight: &[f32] = weight.storage();
    let angles =
        cos.storage::<f32>().chunks_exact(half).zip(sin.storage::<f32>().chunks_exact(half));
    let angles: Vec<(&[f32], &[f32])> = angles.collect();
    x.storage_mut::<f32>()
        .par_chunks_mut(TOKENS_PER_TASK * heads * width)
        .zip(angles.par_chunks(TOKENS_PER_TASK))
        .for_each(|(x, angles)| {
            rotate_tokens(isa, x, angles, weight, epsilon);
        });
    Tensor::from_primitive(TensorPrimitive::Float(x))
}

vectorized! {
    fn rotate_tokens(x: &mut [f32], angles: &[(&[f32], &[f32])], weight: &[f32], epsilon: f64) {
        let columns = x.len() / angles.len();
        for (token, (cos, sin)) in x.chunks_exact_mut(columns).zip(angles) {
            for head in token.chunks_exact_mut(weight.len()) {
                norm_and_rotate(head, weight, epsilon, cos, sin);
            }
        }
    }
}

/// One head.
#[inline(always)]
fn norm_and_rotate(head: &mut [f32], weight: &[f32], epsilon: f64, cos: &[f32], sin: &[f32]) {
    let factor = factor(head, epsilon);
    let (first, second) = head.split_at_mut(cos.len());
    let (first_weight, second_weight) = weight.split_at(cos.len());
    let pairs = first.iter_mut().zip(second);
    let weights = first_weight.iter().zip(second_weight);
    for (((x, y), (&wx, &wy)), (&cos, &sin)) in pairs.zip(weights).zip(cos.iter().zip(sin)) {
        let (normed_x, normed_y) = (*x * factor * wx, *y * factor * wy);
        *x = normed_x * cos - normed_y * sin;
        *y = normed_y * cos + normed_x * sin;
    }
}
