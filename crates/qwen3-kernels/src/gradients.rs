//! What training needs beyond [`Kernels`]: the gradient of each operation, and
//! the step of the optimiser.

use crate::{
    Kernels, MatmulStrategy, VarlenAttention, adamw, linear, rms_norm, rms_norm_rotary, swiglu_mlp,
    varlen_attention,
};
use burn::tensor::{DType, Tensor};

pub use adamw::{AdamW, Moments};

/// A backend that can train Qwen3.
///
/// `output` is always the gradient of the loss with respect to what the
/// operation returned, and has its shape. As in [`Kernels`] every method has the
/// reference as its default body.
pub trait Gradients: Kernels {
    /// Of `x` in `x · weightᵀ`: `output · weight`.
    ///
    /// # Shapes
    /// - `output`: `[T, out]`, float32
    /// - `weight`: `[out, in]`, as that of [`Kernels::linears`]
    /// - returns `[T, in]`, float32
    fn linear_input_gradient(
        output: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        linear::gradient::input(output, weight, strategy)
    }

    /// Of `weight` in `x · weightᵀ`: `outputᵀ · x`, which may be rounded to
    /// `dtype` before they are multiplied, as `x` is in the forward pass.
    ///
    /// # Shapes
    /// - `x`: `[T, in]`, `output`: `[T, out]`, float32
    /// - returns `[out, in]`, float32
    fn linear_weight_gradient(
        x: Tensor<Self, 2>,
        output: Tensor<Self, 2>,
        dtype: DType,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        linear::gradient::weight(x, output, dtype, strategy)
    }

    /// Of `x` `[T, C]` and `weight` `[C]` in [`Kernels::rms_norm`].
    fn rms_norm_gradient(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
        output: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>) {
        rms_norm::gradient::rms_norm(x, weight, epsilon, output)
    }

    /// Of what is rotated in [`Kernels::rms_norm_rotary`], `[T, H, D]`: the
    /// rotation by the negative angle.
    fn rotary_gradient(
        output: Tensor<Self, 3>,
        cos: Tensor<Self, 2>,
        sin: Tensor<Self, 2>,
    ) -> Tensor<Self, 3> {
        rms_norm_rotary::reference::rotary_embedding(output, cos, -sin)
    }

    /// `silu(gate) · up`, element by element, `[T, F]`.
    fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
        swiglu_mlp::reference::swiglu(gate, up)
    }

    /// Of `gate` and `up` `[T, F]` in [`Gradients::swiglu`].
    fn swiglu_gradient(
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
        output: Tensor<Self, 2>,
    ) -> [Tensor<Self, 2>; 2] {
        swiglu_mlp::gradient::swiglu(gate, up, output)
    }

    /// Of `q` `[Tq, H, D]`, `k` and `v` `[Tk, K, D]` in [`Kernels::varlen_attention`].
    ///
    /// The weights of attention are computed again, a bounded block at a time
    /// (Dao et al. 2022, arXiv:2205.14135, appendix B.2).
    fn varlen_attention_gradient(
        attention: VarlenAttention<Self>,
        output: Tensor<Self, 3>,
    ) -> [Tensor<Self, 3>; 3] {
        varlen_attention::gradient::varlen_attention(attention, output)
    }

    /// One step of AdamW; see [`AdamW`].
    ///
    /// # Shapes
    /// `parameter`, `gradient` and both moments: `[N]`, float32.
    fn adamw(
        parameter: Tensor<Self, 1>,
        gradient: Tensor<Self, 1>,
        moments: Moments<Self>,
        step: AdamW,
    ) -> (Tensor<Self, 1>, Moments<Self>) {
        adamw::reference::adamw(parameter, gradient, moments, step)
    }
}
