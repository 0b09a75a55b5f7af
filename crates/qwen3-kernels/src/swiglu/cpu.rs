//! SwiGLU on Burn Flex: one pass, in parallel, in the gate's own memory.

use crate::softmax::exp;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;
use rayon::prelude::*;

/// Elements of one task, so that a task outweighs its scheduling.
const TASK: usize = 16 * 1024;

/// See [`crate::swiglu()`].
pub(crate) fn swiglu(gate: Tensor<Flex, 2>, up: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    assert_eq!(gate.dims(), up.dims(), "swiglu: as many gates as values");
    let mut gate = gate.into_primitive().tensor().to_contiguous();
    let up = up.into_primitive().tensor().to_contiguous();
    let (gates, values) = (gate.storage_mut::<f32>(), up.storage::<f32>());
    gates.par_chunks_mut(TASK).zip(values.par_chunks(TASK)).for_each(|(gates, values)| {
        for (gate, &value) in gates.iter_mut().zip(values) {
            *gate = silu(*gate) * value;
        }
    });
    Tensor::from_primitive(TensorPrimitive::Float(gate))
}

/// `x / (1 + exp(-x))`, with the exponential only of negative numbers.
fn silu(x: f32) -> f32 {
    let small = exp(-x.abs());
    x * if x < 0.0 { small } else { 1.0 } / (1.0 + small)
}
