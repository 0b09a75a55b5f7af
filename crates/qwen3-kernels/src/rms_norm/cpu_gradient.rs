//! The gradient of RMS norm on Burn Flex: rows in parallel.

use super::cpu::factor;
use crate::cpu::buffers;
use crate::cpu::isa::Isa;
use crate::cpu::vectorized::vectorized;
use crate::linear::cpu::contiguous;
use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use burn_flex::Flex;
use rayon::prelude::*;

/// Rows of one task. Their sums for the weight are added up in the order of tasks, so that
/// the number of threads changes nothing.
const ROWS_PER_TASK: usize = 64;
/// Independent partial sums.
const LANES: usize = 16;

/// See [`crate::Gradients::rms_norm_gradient`].
pub(crate) fn rms_norm(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 1>,
    epsilon: f64,
    output: Tensor<Flex, 2>,
) -> (Tensor<Flex, 2>, Tensor<Flex, 1>) {
    let [rows, columns] = x.dims();
    let (x, weight, output) = (contiguous(x), contiguous(weight), contiguous(output));
    let mut of_x = buffers::tensor([rows, columns]);
    let isa = Isa::best();
    let task = columns * ROWS_PER_TASK;
    let weight = weight.storage::<f32>();
    let (x, output) = (x.storage::<f32>(), output.storage::<f32>());
    let sums: Vec<Vec<f32>> = of_x
        .storage_mut::<f32>()
        .par_chunks_mut(task)
        .zip(x.par_chunks(task).zip(output.par_chunks(task)))
        .map(|(of_x, (x, output))| {
            let mut of_weight = vec![0.0; columns];
            of_rows(isa, [x, output], weight, epsilon, [of_x, &mut of_weight]);
            of_weight
        })
        .collect();
    let mut of_weight = vec![0.0; columns];
    for sum in sums {
        of_weight.iter_mut().zip(sum).for_each(|(total, sum)| *total += sum);
    }
    let of_weight = TensorData::new(of_weight, [columns]);
    let of_x = Tensor::from_primitive(TensorPrimitive::Float(of_x));
    (of_x, Tensor::from_data(of_weight, &Default::default()))
}

vectorized! {
    /// `inputs`: rows of `x` and of the output's gradient; `gradients`: of `x`, and of the
    /// weight so far.
    fn of_rows(inputs: [&[f32]; 2], weight: &[f32], epsilon: f64, gradients: [&mut [f32]; 2]) {
        let [x, output] = inputs;
        let [of_x, of_weight] = gradients;
        let columns = weight.len();
        let rows = x.chunks_exact(columns).zip(output.chunks_exact(columns));
        for (of_x, (x, output)) in of_x.chunks_exact_mut(columns).zip(rows) {
            let factor = factor(x, epsilon);
            // The mean of the normed row times its gradient.
            let along = dot(x, output, weight) * factor / columns as f32;
            let weights = weight.iter().zip(of_weight.iter_mut());
            let inputs = x.iter().zip(output);
            for (of_x, ((&x, &output), (&weight, of_weight))) in
                of_x.iter_mut().zip(inputs.zip(weights))
            {
                let normed = x * factor;
                *of_weight += output * normed;
                *of_x = (output * weight - normed * along) * factor;
            }
        }
    }
}

/// The sum of `a · b · c`.
#[inline(always)]
fn dot(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let (a_chunks, b_chunks, c_chunks) =
        (a.chunks_exact(LANES), b.chunks_exact(LANES), c.chunks_exact(LANES));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder()).zip(c_chunks.remainder());
    let rest: f32 = rest.map(|((a, b), c)| a * b * c).sum();
    for ((a, b), c) in a_chunks.zip(b_chunks).zip(c_chunks) {
        for (sum, ((a, b), c)) in sums.iter_mut().zip(a.iter().zip(b).zip(c)) {
            *sum += a * b * c;
        }
    }
    sums.into_iter().sum::<f32>() + rest
}
