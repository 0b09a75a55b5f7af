//! AdamW in plain Burn operations.

use super::{AdamW, Moments};
use burn::tensor::{Tensor, backend::Backend};

/// See [`crate::Gradients::adamw`].
pub fn adamw<B: Backend>(
    parameter: Tensor<B, 1>,
    gradient: Tensor<B, 1>,
    moments: Moments<B>,
    step: AdamW,
) -> (Tensor<B, 1>, Moments<B>) {
    let AdamW { learning_rate, beta_1, beta_2, .. } = step;
    let gradient = gradient * step.gradient_scale;
    let first = moments.first * beta_1 + gradient.clone() * (1.0 - beta_1);
    let second = moments.second * beta_2 + gradient.powi_scalar(2) * (1.0 - beta_2);
    let [unbiased_1, unbiased_2] = step.bias_corrections();
    let deviation = (second.clone() / unbiased_2).sqrt() + step.epsilon;
    let parameter = parameter * (1.0 - learning_rate * step.weight_decay)
        - first.clone() / deviation * (learning_rate / unbiased_1);
    (parameter, Moments { first, second })
}
