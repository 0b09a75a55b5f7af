//! The operations of Qwen3, each a method of [`Kernels`].
//!
//! A method is a formula, its shapes and its precision. How a backend computes
//! it is that backend's affair: every method has a default body, the
//! *reference*, in plain Burn operations. The reference defines "correct", runs
//! on every device, and is what the faster bodies are tested against
//! (`tests/matches_reference/`, and for GPUs `crates/qwen3-wgpu/tests/kernels/`).
//!
//! Each operation has a folder: `reference.rs`, `cpu.rs`, `gpu.rs`. What the
//! bodies for the CPU share is in `cpu/`, with its matrix product in
//! `cpu/gemm/`; what those for GPUs share is in `gpu/`.
//!
//! Letters used in every shape of this workspace:
//!
//! | letter | meaning | in `config.json` |
//! |---|---|---|
//! | `T` | tokens in the packed batch | |
//! | `B` | sequences in the batch | |
//! | `H` | query heads | `num_attention_heads` |
//! | `K` | key and value heads | `num_key_value_heads` |
//! | `D` | width of one head | `head_dim` |
//! | `C` | width of the residual stream | `hidden_size` |
//! | `F` | width of the MLP | `intermediate_size` |
//!
//! Activations go in and come out in float32 everywhere. Only weights are ever
//! stored in less, as numbers or in blocks ([`Weight`]); [`Kernels::linears`], [`Kernels::linear_add`] and
//! [`Kernels::swiglu_mlp`] say what becomes of the activations that meet them,
//! and [`VarlenAttention::round_to`] what attention may round.
//!
//! This crate does not know Qwen3's layers (the `qwen3` crate does). Its `unsafe`
//! code is arithmetic; what asks the system is in `qwen3-sys`.

#[cfg(feature = "autodiff")]
pub mod adamw;
#[cfg(feature = "autodiff")]
mod autodiff;
mod backends;
#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(feature = "autodiff")]
mod gradients;
pub mod linear;
mod lost_work;
#[cfg(test)]
mod random;
pub mod rms_norm;
pub mod rms_norm_rotary;
pub mod swiglu_mlp;
pub mod embed_tokens;
pub mod varlen_attention;
mod weight;

use burn::tensor::{DType, Int, Tensor, backend::Backend};
#[cfg(feature = "cpu")]
pub use cpu::isa;
#[cfg(feature = "gpu")]
pub use gpu::{before_opening, keep_kernels_in};
#[cfg(feature = "autodiff")]
pub use gradients::{AdamW, Gradients, Moments};
pub use linear::strategy::{LaunchError, MatmulStrategy};
pub use lost_work::LostWork;
use qwen3_dtypes::Layout;
pub use rms_norm::RmsNorm;
pub use varlen_attention::{SharedPrefix, VarlenAttention, VarlenLayout};
pub use weight::{Blocks, Weight};

/// A backend that can compute Qwen3.
///
/// Every method has the reference as its default body, so that
/// `impl Kernels for NewBackend {}` is correct from the first day.
pub trait Kernels: Backend {
    /// How the device can multiply with weights of `dtype`, fastest first; at least one.
    fn matmul_strategies(device: &Self::Device, dtype: DType) -> Vec<MatmulStrategy> {
        let _ = (device, dtype);
        vec![MatmulStrategy::PlainUnits]
    }

    /// In which layout linear layers take blocks fastest, where there is one of their dtype and
    /// shape ([`Layout::takes`]); all are taken row after row.
    fn layout() -> Layout {
        Layout::Rows
    }

    /// `x · weightᵀ` by this strategy and no other, for checking it.
    ///
    /// # Shapes
    /// As those of [`Kernels::linears`].
    ///
    /// # Errors
    /// If the device doesn't take it.
    fn linear_only_by(
        x: Tensor<Self, 2>,
        weight: Weight<Self>,
        strategy: MatmulStrategy,
    ) -> Result<Tensor<Self, 2>, LaunchError> {
        let [y] = Self::linears(x, [weight], strategy);
        Ok(y)
    }

    /// What threads of the backend's own have lost since the process began, which no call tells.
    fn lost_work() -> LostWork {
        LostWork::default()
    }

    /// Gives memory that nobody uses back to the system, if it is more than so many
    /// bytes; nothing where the backend keeps none itself.
    fn shrink_buffers(device: &Self::Device, max_bytes: u64) {
        let _ = (device, max_bytes);
    }

    /// Memory that the backend holds and nobody uses now: the next pass will.
    fn unused_buffer_bytes(device: &Self::Device) -> u64 {
        let _ = device;
        0
    }

    /// The nearest numbers of `dtype`, for a linear layer to compute with. The gradient passes
    /// as if nothing were rounded.
    fn rounded(x: Tensor<Self, 2>, dtype: DType) -> Tensor<Self, 2> {
        x.cast(dtype)
    }

    /// The rows of a table that tokens stand for, in float32.
    ///
    /// # Shapes
    /// - `table`: `[vocab_size, C]`
    /// - `ids`: `[T]`, each of a row of the table
    /// - returns `[T, C]`
    fn embed_tokens(table: Weight<Self>, ids: Tensor<Self, 1, Int>) -> Tensor<Self, 2> {
        embed_tokens::reference::embed_tokens(table, ids)
    }

    /// `x · weightᵀ` for each weight, which is as the checkpoint stores it.
    ///
    /// A product is accumulated and returned in float32 whatever the weight's
    /// dtype, and is safe for inputs and outputs beyond float16's 65,504: a
    /// float16 weight never forces `x` or the result into float16's range. Where a
    /// weight is blocks, a backend may round `x` to bfloat16, or row by row to 8 bits
    /// with a scale for each 32 numbers.
    ///
    /// # Shapes
    /// - `x`: `[T, in]`, float32
    /// - `weights`: `[out, in]` each
    /// - `strategy`: one of [`Kernels::matmul_strategies`]; a shape that the device
    ///   doesn't take in this way is computed by plain units
    /// - returns `[T, out]` of each weight's own `out`, float32
    fn linears<const N: usize>(
        x: Tensor<Self, 2>,
        weights: [Weight<Self>; N],
        strategy: MatmulStrategy,
    ) -> [Tensor<Self, 2>; N] {
        let _ = strategy;
        weights.map(|weight| linear::reference::linear(x.clone(), weight.widened()))
    }

    /// `residual + x · weightᵀ`
    ///
    /// # Shapes
    /// - `residual`: `[T, out]`, float32
    /// - `x`, `weight`, `strategy`: as those of [`Kernels::linears`]
    /// - returns `[T, out]`, float32
    fn linear_add(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Weight<Self>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        let [y] = Self::linears(x, [weight], strategy);
        residual + y
    }

    /// `weight · x / sqrt(mean(x²) + epsilon)` over the last dimension
    /// (Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4).
    ///
    /// # Shapes
    /// - `x`: `[T, C]`, float32
    /// - `weight`: `[C]`, float32
    /// - returns `[T, C]`
    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        rms_norm::reference::rms_norm(x, weight, epsilon)
    }

    /// [`Kernels::rms_norm`] of each head, which is then rotated by its token's
    /// position, in the split-half layout of Hugging Face checkpoints (Su et al.
    /// 2021, arXiv:2104.09864, eq. 34):
    ///
    /// ```text
    ///   one head   x = [ x0 x1 … x(D/2-1) | y0 y1 … y(D/2-1) ]
    ///   pair i     (xi, yi)  rotated by the angle of frequency i:
    ///              xi' = xi·cos i − yi·sin i
    ///              yi' = yi·cos i + xi·sin i
    /// ```
    ///
    /// `burn::nn::RotaryEncoding` rotates neighbours (x0, x1) instead: not Qwen3's layout.
    ///
    /// # Shapes
    /// - `x`: `[T, H, D]`, float32, `D` even
    /// - `weight`: `[D]`, float32
    /// - `cos`, `sin`: `[T, D/2]`, float32, one row per token
    /// - returns `[T, H, D]`
    fn rms_norm_rotary(
        x: Tensor<Self, 3>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
        cos: Tensor<Self, 2>,
        sin: Tensor<Self, 2>,
    ) -> Tensor<Self, 3> {
        rms_norm_rotary::reference::rms_norm_rotary(x, weight, epsilon, cos, sin)
    }

    /// [`Kernels::rms_norm_rotary`] of the queries and keys of the same tokens, each with its norm.
    ///
    /// # Shapes
    /// - `q`, `k`: `[T, H, D]`, `[T, K, D]`, float32
    /// - `cos`, `sin`: as those of [`Kernels::rms_norm_rotary`]
    /// - returns the same shapes
    fn rms_norm_rotary_both(
        [q, k]: [(Tensor<Self, 3>, &RmsNorm<Self>); 2],
        cos: Tensor<Self, 2>,
        sin: Tensor<Self, 2>,
    ) -> [Tensor<Self, 3>; 2] {
        [q, k].map(|(x, norm)| norm.rotary(x, cos.clone(), sin.clone()))
    }

    /// [`Kernels::linears`] of the normed `x`.
    ///
    /// # Shapes
    /// As those of [`Kernels::linears`].
    fn norm_linears<const N: usize>(
        x: Tensor<Self, 2>,
        norm: &RmsNorm<Self>,
        weights: [Weight<Self>; N],
        strategy: MatmulStrategy,
    ) -> [Tensor<Self, 2>; N] {
        Self::linears(norm.forward(x), weights, strategy)
    }

    /// [`Kernels::swiglu_mlp`] of the normed residual stream.
    ///
    /// # Shapes
    /// As those of [`Kernels::swiglu_mlp`].
    fn norm_swiglu_mlp(
        residual: Tensor<Self, 2>,
        norm: &RmsNorm<Self>,
        [gate, up, down]: [Weight<Self>; 3],
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        let normed = norm.forward(residual.clone());
        Self::swiglu_mlp(residual, normed, gate, up, down, strategy)
    }

    /// `residual + (silu(x · gateᵀ) · (x · upᵀ)) · downᵀ`, the gate element by
    /// element, with `silu(x) = x / (1 + exp(-x))` (Shazeer 2020, arXiv:2002.05202, eq. 5).
    ///
    /// # Shapes
    /// - `residual`, `x`: `[T, C]`, float32
    /// - `gate`, `up`: `[F, C]`, `down`: `[C, F]`, each as a weight of [`Kernels::linears`]
    /// - `strategy`: as that of [`Kernels::linears`]
    /// - returns `[T, C]`, float32
    fn swiglu_mlp(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        gate: Weight<Self>,
        up: Weight<Self>,
        down: Weight<Self>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        swiglu_mlp::reference::swiglu_mlp(residual, x, gate, up, down, strategy)
    }

    /// Causal softmax attention within each sequence of a packed batch, with
    /// grouped heads: query head `h` reads key and value head `h / (H/K)`.
    ///
    /// The last query of a sequence is aligned with its last key, so that a layer
    /// may ask for only the last rows of each sequence.
    ///
    /// Memory is bounded: no more than a fixed number of scores exist at a time,
    /// whatever the length of a text.
    ///
    /// # Shapes
    /// - those of [`VarlenAttention`]'s fields
    /// - returns `[Tq, H, D]`, float32, or in [`VarlenAttention::round_to`]
    ///
    /// # Panics
    /// If the layout does not cover `q` and `k`, which only a bug of the caller's can do.
    fn varlen_attention(attention: VarlenAttention<Self>) -> Tensor<Self, 3> {
        varlen_attention::reference::varlen_attention(attention)
    }
}
