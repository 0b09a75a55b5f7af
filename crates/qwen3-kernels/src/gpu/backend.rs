//! [`Kernels`] on every CubeCL runtime.

use crate::gpu::blocks::{BlocksOnGpu, widen};
use crate::gpu::{contiguous, lost_work, tensor};
use crate::linear::gpu::{Input, Rows, WeightOnGpu};
use crate::rms_norm::gpu::Norm;
use crate::rms_norm_rotary::gpu::Heads;
use crate::{
    Kernels, LaunchError, LostWork, MatmulStrategy, RmsNorm, VarlenAttention, Weight, embed_tokens,
    linear, rms_norm, rms_norm_rotary, swiglu_mlp, varlen_attention,
};
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};

#[cfg(feature = "autodiff")]
impl<R, F, I, BT> crate::Gradients for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
}

fn on_gpu<R, F, I, BT>(weight: Weight<CubeBackend<R, F, I, BT>>) -> WeightOnGpu<R>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    match weight {
        Weight::Float(weight) => WeightOnGpu::Float(contiguous(weight)),
        Weight::Blocks(blocks) => WeightOnGpu::Blocks(BlocksOnGpu::new(&blocks)),
    }
}

fn norm_on_gpu<R, F, I, BT>(norm: &RmsNorm<CubeBackend<R, F, I, BT>>) -> Norm<R>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    Norm { weight: contiguous(norm.weight.clone()), epsilon: norm.epsilon }
}

fn heads_on_gpu<R, F, I, BT>(
    x: Tensor<CubeBackend<R, F, I, BT>, 3>,
    norm: &RmsNorm<CubeBackend<R, F, I, BT>>,
) -> Heads<R>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    Heads { x: contiguous(x), norm: norm_on_gpu(norm) }
}

impl<R, F, I, BT> Kernels for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    fn matmul_strategies(device: &Self::Device, dtype: DType) -> Vec<MatmulStrategy> {
        linear::gpu::strategies(&R::client(device), dtype)
    }

    fn lost_work() -> LostWork {
        lost_work::so_far()
    }

    fn shrink_buffers(device: &Self::Device, max_bytes: u64) {
        if Self::unused_buffer_bytes(device) > max_bytes {
            R::client(device).memory_cleanup();
        }
    }

    fn unused_buffer_bytes(device: &Self::Device) -> u64 {
        let usage = R::client(device).memory_usage();
        usage.map_or(0, |usage| usage.bytes_reserved.saturating_sub(usage.bytes_in_use))
    }

    fn embed_tokens(table: Weight<Self>, ids: Tensor<Self, 1, Int>) -> Tensor<Self, 2> {
        match table {
            Weight::Float(_) => embed_tokens::reference::embed_tokens(table, ids),
            Weight::Blocks(blocks) => {
                tensor(widen::selected(BlocksOnGpu::new(&blocks), ids.into_primitive()))
            }
        }
    }

    fn linear_only_by(
        x: Tensor<Self, 2>,
        weight: Weight<Self>,
        strategy: MatmulStrategy,
    ) -> Result<Tensor<Self, 2>, LaunchError> {
        let weight = on_gpu(weight);
        let input = Input::new(Rows::plain(contiguous(x)), weight.factor_dtype(strategy));
        let [y] = input.times_rms([input.product_only_by(weight, strategy)?]);
        Ok(tensor(y))
    }

    fn linears<const N: usize>(
        x: Tensor<Self, 2>,
        weights: [Weight<Self>; N],
        strategy: MatmulStrategy,
    ) -> [Tensor<Self, 2>; N] {
        let rows = Rows::plain(contiguous(x));
        linear::gpu::linears(rows, weights.map(on_gpu), strategy).map(tensor)
    }

    fn norm_linears<const N: usize>(
        x: Tensor<Self, 2>,
        norm: &RmsNorm<Self>,
        weights: [Weight<Self>; N],
        strategy: MatmulStrategy,
    ) -> [Tensor<Self, 2>; N] {
        let rows = Rows { x: contiguous(x), norm: Some(norm_on_gpu(norm)) };
        linear::gpu::linears(rows, weights.map(on_gpu), strategy).map(tensor)
    }

    fn linear_add(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Weight<Self>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        let (residual, rows) = (contiguous(residual), Rows::plain(contiguous(x)));
        let weight = on_gpu(weight);
        let input = Input::new(rows, weight.factor_dtype(strategy));
        tensor(linear::gpu::linear_add(residual, input, weight, strategy))
    }

    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        let norm = norm_on_gpu(&RmsNorm { weight, epsilon });
        tensor(rms_norm::gpu::rms_norm(contiguous(x), norm, DType::F32))
    }

    fn rms_norm_rotary(
        x: Tensor<Self, 3>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
        cos: Tensor<Self, 2>,
        sin: Tensor<Self, 2>,
    ) -> Tensor<Self, 3> {
        let heads = heads_on_gpu(x, &RmsNorm { weight, epsilon });
        let [y] = rms_norm_rotary::gpu::rms_norm_rotary([heads], [cos, sin].map(contiguous));
        tensor(y)
    }

    fn rms_norm_rotary_both(
        both: [(Tensor<Self, 3>, &RmsNorm<Self>); 2],
        cos: Tensor<Self, 2>,
        sin: Tensor<Self, 2>,
    ) -> [Tensor<Self, 3>; 2] {
        let (heads, angles) =
            (both.map(|(x, norm)| heads_on_gpu(x, norm)), [cos, sin].map(contiguous));
        rms_norm_rotary::gpu::rms_norm_rotary(heads, angles).map(tensor)
    }

    fn swiglu_mlp(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        gate: Weight<Self>,
        up: Weight<Self>,
        down: Weight<Self>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        let (residual, rows) = (contiguous(residual), Rows::plain(contiguous(x)));
        let [gate, up, down] = [gate, up, down].map(on_gpu);
        tensor(swiglu_mlp::gpu::swiglu_mlp(residual, rows, [gate, up], down, strategy))
    }

    fn norm_swiglu_mlp(
        residual: Tensor<Self, 2>,
        norm: &RmsNorm<Self>,
        weights: [Weight<Self>; 3],
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        let residual = contiguous(residual);
        let rows = Rows { x: residual.clone(), norm: Some(norm_on_gpu(norm)) };
        let [gate, up, down] = weights.map(on_gpu);
        tensor(swiglu_mlp::gpu::swiglu_mlp(residual, rows, [gate, up], down, strategy))
    }

    fn varlen_attention(attention: VarlenAttention<Self>) -> Tensor<Self, 3> {
        attention.assert_shapes();
        tensor(varlen_attention::gpu::varlen_attention(attention))
    }
}
