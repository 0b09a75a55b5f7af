//! [`Kernels`] under Burn's automatic differentiation: forward as the backend
//! computes it, backward by [`Gradients`].
//!
//! Burn would differentiate the references operation by operation. Here an
//! operation of Qwen3 is one node of the graph, which keeps its inputs and
//! nothing between, and which runs the backend's own kernels.

mod saved;

use crate::{Gradients, Kernels, LostWork, MatmulStrategy, VarlenAttention, Weight};
use burn::tensor::{DType, Tensor, TensorPrimitive, backend::Backend};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::ops::{Backward, OpsKind};
use saved::{Attention, Linear, LinearAdd, Node, RmsNorm, RmsNormRotary, Rounded, Saved, Swiglu};

type Inner<B, const D: usize> = Tensor<B, D>;
type Tracked<B, C, const D: usize> = Tensor<Autodiff<B, C>, D>;
type TrackedPrimitive<B, C> =
    <Autodiff<B, C> as burn::tensor::backend::BackendTypes>::FloatTensorPrimitive;

/// `output`, as a node of the graph with these inputs.
fn node<B: Backend, C: CheckpointStrategy, S: Saved<B, N>, const N: usize, const D: usize>(
    inputs: [&TrackedPrimitive<B, C>; N],
    saved: S,
    output: Inner<B, D>,
) -> Tracked<B, C, D> {
    let output = primitive(output);
    let nodes = inputs.map(|input| input.node.clone());
    let node = match Node::<S>::new().prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(saved, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive(TensorPrimitive::Float(node))
}

fn primitive<B: Backend, const D: usize>(x: Tensor<B, D>) -> B::FloatTensorPrimitive {
    x.into_primitive().tensor()
}

fn tensor<B: Backend, const D: usize>(x: B::FloatTensorPrimitive) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(x))
}

/// A tracked tensor's node, and its numbers.
fn split<B: Backend, C: CheckpointStrategy, const D: usize>(
    x: Tracked<B, C, D>,
) -> (TrackedPrimitive<B, C>, Inner<B, D>) {
    let tracked = primitive(x);
    let inner = tensor(tracked.primitive.clone());
    (tracked, inner)
}

impl<B: Gradients, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn matmul_strategies(device: &Self::Device, dtype: DType) -> Vec<MatmulStrategy> {
        B::matmul_strategies(device, dtype)
    }

    fn lost_work() -> LostWork {
        B::lost_work()
    }

    fn shrink_buffers(device: &Self::Device, max_bytes: u64) {
        B::shrink_buffers(device, max_bytes);
    }

    fn unused_buffer_bytes(device: &Self::Device) -> u64 {
        B::unused_buffer_bytes(device)
    }

    fn rounded(x: Tensor<Self, 2>, dtype: DType) -> Tensor<Self, 2> {
        let (x_node, x) = split(x);
        node([&x_node], Rounded, B::rounded(x, dtype))
    }

    fn linears<const N: usize>(
        x: Tensor<Self, 2>,
        weights: [Weight<Self>; N],
        strategy: MatmulStrategy,
    ) -> [Tensor<Self, 2>; N] {
        let (x_node, x) = split(x);
        let weights = weights.map(|weight| split(weight.into_float()));
        let inner = weights.each_ref().map(|(_, weight)| weight.clone().into());
        let mut outputs = B::linears(x.clone(), inner, strategy).into_iter();
        weights.map(|(weight_node, weight)| {
            let output = outputs.next().expect("one for each weight");
            node([&x_node, &weight_node], Linear { x: x.clone(), weight, strategy }, output)
        })
    }

    fn linear_add(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Weight<Self>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        let ((residual_node, residual), (x_node, x)) = (split(residual), split(x));
        let (weight_node, weight) = split(weight.into_float());
        let output = B::linear_add(residual, x.clone(), weight.clone().into(), strategy);
        let saved = LinearAdd(Linear { x, weight, strategy });
        node([&residual_node, &x_node, &weight_node], saved, output)
    }

    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        let ((x_node, x), (weight_node, weight)) = (split(x), split(weight));
        let output = B::rms_norm(x.clone(), weight.clone(), epsilon);
        node([&x_node, &weight_node], RmsNorm { x, weight, epsilon }, output)
    }

    fn rms_norm_rotary(
        x: Tensor<Self, 3>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
        cos: Tensor<Self, 2>,
        sin: Tensor<Self, 2>,
    ) -> Tensor<Self, 3> {
        let ((x_node, x), (weight_node, weight)) = (split(x), split(weight));
        let (cos, sin) = (cos.inner(), sin.inner());
        let output =
            B::rms_norm_rotary(x.clone(), weight.clone(), epsilon, cos.clone(), sin.clone());
        let saved = RmsNormRotary { x, weight, epsilon, cos, sin };
        node([&x_node, &weight_node], saved, output)
    }

    fn swiglu_mlp(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        gate: Weight<Self>,
        up: Weight<Self>,
        down: Weight<Self>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        let [gate, up] = Self::linears(x, [gate, up], strategy);
        let ((gate_node, gate), (up_node, up)) = (split(gate), split(up));
        let output = B::swiglu(gate.clone(), up.clone());
        let activated = node([&gate_node, &up_node], Swiglu { gate, up }, output);
        Self::linear_add(residual, activated, down, strategy)
    }

    fn varlen_attention(attention: VarlenAttention<Self>) -> Tensor<Self, 3> {
        let VarlenAttention { q, k, v, layout, scale, round_to, strategy } = attention;
        let ((q_node, q), (k_node, k), (v_node, v)) = (split(q), split(k), split(v));
        let saved =
            Attention { qkv: [q.clone(), k.clone(), v.clone()], layout: layout.clone(), scale };
        let attention = VarlenAttention { q, k, v, layout, scale, round_to, strategy };
        let output = B::varlen_attention(attention).cast(DType::F32);
        node([&q_node, &k_node, &v_node], saved, output)
    }
}
