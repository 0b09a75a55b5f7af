//! AdamW on Burn Flex: one pass in place, in parallel.

use super::{AdamW, Moments};
use crate::cpu::isa::Isa;
use crate::cpu::vectorized::vectorized;
use crate::linear::cpu::contiguous;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;
use rayon::prelude::*;

/// Numbers of one task.
const TASK: usize = 1 << 14;

/// See [`crate::Gradients::adamw`].
pub(crate) fn adamw(
    parameter: Tensor<Flex, 1>,
    gradient: Tensor<Flex, 1>,
    moments: Moments<Flex>,
    step: AdamW,
) -> (Tensor<Flex, 1>, Moments<Flex>) {
    let (mut parameter, gradient) = (contiguous(parameter), contiguous(gradient));
    let (mut first, mut second) = (contiguous(moments.first), contiguous(moments.second));
    let isa = Isa::best();
    let moments = first
        .storage_mut::<f32>()
        .par_chunks_mut(TASK)
        .zip(second.storage_mut::<f32>().par_chunks_mut(TASK));
    parameter
        .storage_mut::<f32>()
        .par_chunks_mut(TASK)
        .zip(gradient.storage::<f32>().par_chunks(TASK))
        .zip(moments)
        .for_each(|((parameter, gradient), moments)| {
            update(isa, parameter, gradient, moments, step);
        });
    let [parameter, first, second] =
        [parameter, first, second].map(|x| Tensor::from_primitive(TensorPrimitive::Float(x)));
    (parameter, Moments { first, second })
}

vectorized! {
    fn update(
        parameter: &mut [f32],
        gradient: &[f32],
        moments: (&mut [f32], &mut [f32]),
        step: AdamW,
    ) {
        let [unbiased_1, unbiased_2] = step.bias_corrections();
        let (beta_1, beta_2) = (step.beta_1 as f32, step.beta_2 as f32);
        let (new_1, new_2) = ((1.0 - step.beta_1) as f32, (1.0 - step.beta_2) as f32);
        let kept = (1.0 - step.learning_rate * step.weight_decay) as f32;
        let rate = (step.learning_rate / unbiased_1) as f32;
        let (unbiased_2, epsilon) = ((1.0 / unbiased_2) as f32, step.epsilon as f32);
        let scale = step.gradient_scale as f32;
        let moments = moments.0.iter_mut().zip(moments.1);
        for ((parameter, &gradient), (first, second)) in
            parameter.iter_mut().zip(gradient).zip(moments)
        {
            let gradient = gradient * scale;
            *first = *first * beta_1 + gradient * new_1;
            *second = *second * beta_2 + gradient * gradient * new_2;
            let deviation = (*second * unbiased_2).sqrt() + epsilon;
            *parameter = *parameter * kept - *first / deviation * rate;
        }
    }
}
