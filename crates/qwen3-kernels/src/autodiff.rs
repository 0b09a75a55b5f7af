//! [`Kernels`] under Burn's automatic differentiation: forward as the backend
//! computes it, backward by [`Gradients`].
//!
//! Burn would differentiate the references operation by operation. Here an
//! operation of Qwen3 is one node of the graph, which keeps its inputs and
//! nothing between, and which runs the backend's own kernels.

use crate::{Gradients, Kernels, MatmulStrategy, VarlenAttention, VarlenLayout};
use burn::tensor::{DType, Tensor, TensorPrimitive, backend::Backend};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients as Graph;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use std::fmt::Debug;
use std::marker::PhantomData;

/// What an operation of `N` inputs keeps for its gradient.
trait Saved<B: Backend, const N: usize>: Clone + Debug + Send + 'static {
    /// The gradient of each input that is `wanted`, from that of the output.
    fn gradients(
        self,
        output: B::FloatTensorPrimitive,
        wanted: [bool; N],
    ) -> [Option<B::FloatTensorPrimitive>; N];
}

/// A node of Burn's graph that computes its gradients from what it saved.
#[derive(Debug)]
struct Node<S>(PhantomData<fn() -> S>);

impl<B: Backend, S: Saved<B, N>, const N: usize> Backward<B, N> for Node<S> {
    type State = S;

    fn backward(self, ops: Ops<S, N>, graph: &mut Graph, _: &mut Checkpointer) {
        let output = graph.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let gradients = ops.state.gradients(output, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                graph.register::<B>(parent.id, gradient);
            }
        }
    }
}

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
    let node = match Node::<S>(PhantomData).prepare::<C>(nodes).compute_bound().stateful() {
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

    fn shrink_buffers(max_bytes: u64) {
        B::shrink_buffers(max_bytes);
    }

    fn unused_buffer_bytes() -> u64 {
        B::unused_buffer_bytes()
    }

    fn rounded(x: Tensor<Self, 2>, dtype: DType) -> Tensor<Self, 2> {
        let (x_node, x) = split(x);
        node([&x_node], Rounded, B::rounded(x, dtype))
    }

    fn linears<const N: usize>(
        x: Tensor<Self, 2>,
        weights: [Tensor<Self, 2>; N],
        strategy: MatmulStrategy,
    ) -> [Tensor<Self, 2>; N] {
        let (x_node, x) = split(x);
        let weights = weights.map(split);
        let inner = weights.each_ref().map(|(_, weight)| weight.clone());
        let mut outputs = B::linears(x.clone(), inner, strategy).into_iter();
        weights.map(|(weight_node, weight)| {
            let output = outputs.next().expect("one for each weight");
            node([&x_node, &weight_node], Linear { x: x.clone(), weight, strategy }, output)
        })
    }

    fn linear_add(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        let ((residual_node, residual), (x_node, x)) = (split(residual), split(x));
        let (weight_node, weight) = split(weight);
        let output = B::linear_add(residual, x.clone(), weight.clone(), strategy);
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
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
        down: Tensor<Self, 2>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        let [gate, up] = Self::linears(x, [gate, up], strategy);
        let ((gate_node, gate), (up_node, up)) = (split(gate), split(up));
        let output = B::swiglu(gate.clone(), up.clone());
        let activated = node([&gate_node, &up_node], Swiglu { gate, up }, output);
        Self::linear_add(residual, activated, down, strategy)
    }

    fn varlen_attention(attention: VarlenAttention<Self>) -> Tensor<Self, 3> {
        let VarlenAttention { q, k, v, layout, scale, round_to } = attention;
        let ((q_node, q), (k_node, k), (v_node, v)) = (split(q), split(k), split(v));
        let saved =
            Attention { qkv: [q.clone(), k.clone(), v.clone()], layout: layout.clone(), scale };
        let output = B::varlen_attention(VarlenAttention { q, k, v, layout, scale, round_to });
        node([&q_node, &k_node, &v_node], saved, output)
    }
}

#[derive(Clone, Debug)]
struct Rounded;

impl<B: Backend> Saved<B, 1> for Rounded {
    fn gradients(
        self,
        output: B::FloatTensorPrimitive,
        _: [bool; 1],
    ) -> [Option<B::FloatTensorPrimitive>; 1] {
        [Some(output)]
    }
}

#[derive(Clone, Debug)]
struct Linear<B: Backend> {
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    strategy: MatmulStrategy,
}

impl<B: Gradients> Saved<B, 2> for Linear<B> {
    fn gradients(
        self,
        output: B::FloatTensorPrimitive,
        [x, weight]: [bool; 2],
    ) -> [Option<B::FloatTensorPrimitive>; 2] {
        let output = tensor(output);
        let of_weight = weight.then(|| {
            let dtype = self.weight.dtype();
            B::linear_weight_gradient(self.x, Tensor::clone(&output), dtype, self.strategy)
        });
        let of_x = x.then(|| B::linear_input_gradient(output, self.weight, self.strategy));
        [of_x.map(primitive), of_weight.map(primitive)]
    }
}

#[derive(Clone, Debug)]
struct LinearAdd<B: Backend>(Linear<B>);

impl<B: Gradients> Saved<B, 3> for LinearAdd<B> {
    fn gradients(
        self,
        output: B::FloatTensorPrimitive,
        [residual, x, weight]: [bool; 3],
    ) -> [Option<B::FloatTensorPrimitive>; 3] {
        let of_residual = residual.then(|| output.clone());
        let [of_x, of_weight] = self.0.gradients(output, [x, weight]);
        [of_residual, of_x, of_weight]
    }
}

#[derive(Clone, Debug)]
struct RmsNorm<B: Backend> {
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
}

impl<B: Gradients> Saved<B, 2> for RmsNorm<B> {
    fn gradients(
        self,
        output: B::FloatTensorPrimitive,
        _: [bool; 2],
    ) -> [Option<B::FloatTensorPrimitive>; 2] {
        let (x, weight) = B::rms_norm_gradient(self.x, self.weight, self.epsilon, tensor(output));
        [Some(primitive(x)), Some(primitive(weight))]
    }
}

#[derive(Clone, Debug)]
struct RmsNormRotary<B: Backend> {
    x: Tensor<B, 3>,
    weight: Tensor<B, 1>,
    epsilon: f64,
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
}

impl<B: Gradients> Saved<B, 2> for RmsNormRotary<B> {
    fn gradients(
        self,
        output: B::FloatTensorPrimitive,
        _: [bool; 2],
    ) -> [Option<B::FloatTensorPrimitive>; 2] {
        let output = B::rotary_gradient(tensor(output), self.cos, self.sin);
        let [tokens, heads, width] = self.x.dims();
        let rows = [tokens * heads, width];
        let (x, weight) = B::rms_norm_gradient(
            self.x.reshape(rows),
            self.weight,
            self.epsilon,
            output.reshape(rows),
        );
        [Some(primitive(x.reshape([tokens, heads, width]))), Some(primitive(weight))]
    }
}

#[derive(Clone, Debug)]
struct Swiglu<B: Backend> {
    gate: Tensor<B, 2>,
    up: Tensor<B, 2>,
}

impl<B: Gradients> Saved<B, 2> for Swiglu<B> {
    fn gradients(
        self,
        output: B::FloatTensorPrimitive,
        _: [bool; 2],
    ) -> [Option<B::FloatTensorPrimitive>; 2] {
        B::swiglu_gradient(self.gate, self.up, tensor(output)).map(|x| Some(primitive(x)))
    }
}

#[derive(Clone, Debug)]
struct Attention<B: Backend> {
    qkv: [Tensor<B, 3>; 3],
    layout: VarlenLayout,
    scale: f64,
}

impl<B: Gradients> Saved<B, 3> for Attention<B> {
    fn gradients(
        self,
        output: B::FloatTensorPrimitive,
        _: [bool; 3],
    ) -> [Option<B::FloatTensorPrimitive>; 3] {
        let [q, k, v] = self.qkv;
        let round_to = DType::F32;
        let attention =
            VarlenAttention { q, k, v, layout: &self.layout, scale: self.scale, round_to };
        B::varlen_attention_gradient(attention, tensor(output)).map(|x| Some(primitive(x)))
    }
}
