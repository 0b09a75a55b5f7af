//! What each operation keeps for going backward, and how it does.

use super::{primitive, tensor};
use crate::{Gradients, MatmulStrategy, VarlenAttention, VarlenLayout};
use burn::tensor::{DType, Tensor, backend::Backend};
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients as Graph;
use burn_autodiff::ops::{Backward, Ops};
use std::fmt::Debug;
use std::marker::PhantomData;

/// What an operation of `N` inputs keeps for its gradient.
pub(super) trait Saved<B: Backend, const N: usize>: Clone + Debug + Send + 'static {
    /// The gradient of each input that is `wanted`, from that of the output.
    fn gradients(
        self,
        output: B::FloatTensorPrimitive,
        wanted: [bool; N],
    ) -> [Option<B::FloatTensorPrimitive>; N];
}

/// A node of Burn's graph that computes its gradients from what it saved.
#[derive(Debug)]
pub(super) struct Node<S>(PhantomData<fn() -> S>);

impl<S> Node<S> {
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

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

#[derive(Clone, Debug)]
pub(super) struct Rounded;

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
pub(super) struct Linear<B: Backend> {
    pub x: Tensor<B, 2>,
    pub weight: Tensor<B, 2>,
    pub strategy: MatmulStrategy,
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
pub(super) struct LinearAdd<B: Backend>(pub Linear<B>);

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
pub(super) struct RmsNorm<B: Backend> {
    pub x: Tensor<B, 2>,
    pub weight: Tensor<B, 1>,
    pub epsilon: f64,
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
pub(super) struct RmsNormRotary<B: Backend> {
    pub x: Tensor<B, 3>,
    pub weight: Tensor<B, 1>,
    pub epsilon: f64,
    pub cos: Tensor<B, 2>,
    pub sin: Tensor<B, 2>,
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
pub(super) struct Swiglu<B: Backend> {
    pub gate: Tensor<B, 2>,
    pub up: Tensor<B, 2>,
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
pub(super) struct Attention<B: Backend> {
    pub qkv: [Tensor<B, 3>; 3],
    pub layout: VarlenLayout,
    pub scale: f64,
}

impl<B: Gradients> Saved<B, 3> for Attention<B> {
    fn gradients(
        self,
        output: B::FloatTensorPrimitive,
        _: [bool; 3],
    ) -> [Option<B::FloatTensorPrimitive>; 3] {
        let [q, k, v] = self.qkv;
        let attention = VarlenAttention {
            q,
            k,
            v,
            layout: &self.layout,
            scale: self.scale,
            round_to: DType::F32,
            strategy: MatmulStrategy::PlainUnits,
        };
        B::varlen_attention_gradient(attention, tensor(output)).map(|x| Some(primitive(x)))
    }
}
