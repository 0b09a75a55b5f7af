//! `silu(gate) · up` and its gradient on Burn Flex: one pass, in parallel.

use crate::cpu::buffers;
use crate::cpu::isa::Isa;
use crate::cpu::softmax::{exp, silu};
use crate::cpu::vectorized::vectorized;
use crate::linear::cpu::contiguous;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;
use rayon::prelude::*;

/// Numbers of one task.
const TASK: usize = 1 << 14;

/// See [`crate::Gradients::swiglu`].
pub(crate) fn swiglu(gate: Tensor<Flex, 2>, up: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let shape = gate.dims();
    let (gate, up) = (contiguous(gate), contiguous(up));
    let mut y = buffers::tensor(shape);
    let isa = Isa::best();
    let inputs = gate.storage::<f32>().par_chunks(TASK).zip(up.storage::<f32>().par_chunks(TASK));
    y.storage_mut::<f32>()
        .par_chunks_mut(TASK)
        .zip(inputs)
        .for_each(|(y, (gate, up))| forward(isa, gate, up, y));
    Tensor::from_primitive(TensorPrimitive::Float(y))
}

/// See [`crate::Gradients::swiglu_gradient`].
pub(crate) fn swiglu_gradient(
    gate: Tensor<Flex, 2>,
    up: Tensor<Flex, 2>,
    output: Tensor<Flex, 2>,
) -> [Tensor<Flex, 2>; 2] {
    let shape = gate.dims();
    let (gate, up, output) = (contiguous(gate), contiguous(up), contiguous(output));
    let mut gradients = [buffers::tensor(shape), buffers::tensor(shape)];
    let isa = Isa::best();
    let [of_gate, of_up] = &mut gradients;
    let outputs = of_gate
        .storage_mut::<f32>()
        .par_chunks_mut(TASK)
        .zip(of_up.storage_mut::<f32>().par_chunks_mut(TASK));
    let inputs = gate.storage::<f32>().par_chunks(TASK).zip(up.storage::<f32>().par_chunks(TASK));
    outputs
        .zip(inputs)
        .zip(output.storage::<f32>().par_chunks(TASK))
        .for_each(|((of, (gate, up)), output)| backward(isa, gate, up, output, of));
    gradients.map(|x| Tensor::from_primitive(TensorPrimitive::Float(x)))
}

vectorized! {
    fn forward(gate: &[f32], up: &[f32], y: &mut [f32]) {
        for (y, (&gate, &up)) in y.iter_mut().zip(gate.iter().zip(up)) {
            *y = silu(gate) * up;
        }
    }
}

vectorized! {
    fn backward(gate: &[f32], up: &[f32], output: &[f32], of: (&mut [f32], &mut [f32])) {
        let inputs = gate.iter().zip(up).zip(output);
        for ((of_gate, of_up), ((&gate, &up), &output)) in of.0.iter_mut().zip(of.1).zip(inputs) {
            let small = exp(-gate.abs());
            let sigmoid = if gate < 0.0 { small } else { 1.0 } / (1.0 + small);
            let silu = gate * sigmoid;
            *of_gate = output * up * (sigmoid + silu * (1.0 - sigmoid));
            *of_up = output * silu;
        }
    }
}
