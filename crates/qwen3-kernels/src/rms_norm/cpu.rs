//! RMS norm on Burn Flex: one pass over each row, rows in parallel.

use crate::cpu::buffers;
use crate::cpu::isa::Isa;
use crate::cpu::vectorized::vectorized;
use crate::linear::cpu::contiguous;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;
use rayon::prelude::*;

/// Independent partial sums: as wide as an AVX-512 register, and a short chain
/// of additions for each.
const LANES: usize = 16;
/// Rows of one task, so that a task outweighs its scheduling.
const ROWS_PER_TASK: usize = 16;

/// See [`crate::Kernels::rms_norm`].
pub(crate) fn rms_norm(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 1>,
    epsilon: f64,
) -> Tensor<Flex, 2> {
    let [rows, columns] = x.dims();
    let (x, weight) = (contiguous(x), contiguous(weight));
    assert_eq!(weight.layout().num_elements(), columns, "rms_norm: one weight per column");
    let mut y = buffers::tensor([rows, columns]);
    let (input, weight) = (x.storage::<f32>(), weight.storage::<f32>());
    let isa = Isa::best();
    let task = columns * ROWS_PER_TASK;
    y.storage_mut::<f32>()
        .par_chunks_mut(task)
        .zip(input.par_chunks(task))
        .for_each(|(outputs, inputs)| norm_rows(isa, inputs, outputs, weight, epsilon));
    Tensor::from_primitive(TensorPrimitive::Float(y))
}

vectorized! {
    fn norm_rows(inputs: &[f32], outputs: &mut [f32], weight: &[f32], epsilon: f64) {
        let columns = weight.len();
        for (y, x) in outputs.chunks_mut(columns).zip(inputs.chunks(columns)) {
            let factor = factor(x, epsilon);
            for ((y, &x), &weight) in y.iter_mut().zip(x).zip(weight) {
                *y = x * factor * weight;
            }
        }
    }
}

/// What a row is multiplied with: 1 / sqrt(mean(x²) + epsilon).
#[inline(always)]
pub(crate) fn factor(row: &[f32], epsilon: f64) -> f32 {
    let mean_square = sum_of_squares(row) / row.len() as f64;
    (1.0 / (mean_square + epsilon).sqrt()) as f32
}

#[inline(always)]
fn sum_of_squares(row: &[f32]) -> f64 {
    let mut sums = [0f32; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|x| x * x).sum();
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x * x;
        }
    }
    sums.iter().map(|&sum| f64::from(sum)).sum::<f64>() + f64::from(rest)
}
