//! The operations of Qwen3, each behind one plain function.
//!
//! A function here is a formula, its shapes and its precision. How a backend
//! computes it is that backend's affair: [`Kernels`] gives every operation a
//! default body, the *reference*, in plain Burn operations. The reference
//! defines "correct", runs on every device, and is what the faster bodies are
//! tested against (`tests/matches_reference/`, and for GPUs
//! `crates/qwen3-wgpu/tests/kernels/`).
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
//! stored in half precision, and [`linear`] is the one place that knows it.
//!
//! This crate does not know Qwen3's layers (the `qwen3` crate does). Its `unsafe`
//! code is arithmetic; what asks the system is in `qwen3-sys`.

mod backends;
#[cfg(feature = "cpu")]
mod buffers;
#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "cpu")]
mod destination;
#[cfg(feature = "cpu")]
pub mod isa;
pub mod linear;
pub mod rms_norm;
pub mod rms_norm_rotary;
#[cfg(feature = "cpu")]
mod softmax;
pub mod swiglu_mlp;
pub mod varlen_attention;

use burn::tensor::{DType, Tensor, backend::Backend};
pub use linear::strategy::{LaunchError, MatmulStrategy};
pub use varlen_attention::{SharedPrefix, VarlenLayout};

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

    /// [`linear()`] by this strategy and no other, for checking it.
    ///
    /// # Errors
    /// If the device doesn't take it.
    fn linear_only_by(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        strategy: MatmulStrategy,
    ) -> Result<Tensor<Self, 2>, LaunchError> {
        Ok(<Self as Kernels>::linear(x, weight, strategy))
    }

    /// Gives memory of activations that nobody uses back to the system, but for
    /// so many bytes; nothing where the backend keeps none itself.
    fn shrink_buffers(max_bytes: u64) {
        let _ = max_bytes;
    }

    /// Memory of activations that nobody uses now and the next pass will.
    fn unused_buffer_bytes() -> u64 {
        0
    }

    /// See [`linear()`].
    fn linear(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        let _ = strategy;
        linear::reference::linear(x, weight)
    }

    /// See [`linears()`].
    fn linears<const N: usize>(
        x: Tensor<Self, 2>,
        weights: [Tensor<Self, 2>; N],
        strategy: MatmulStrategy,
    ) -> [Tensor<Self, 2>; N] {
        weights.map(|weight| <Self as Kernels>::linear(x.clone(), weight, strategy))
    }

    /// See [`linear_add()`].
    fn linear_add(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        residual + <Self as Kernels>::linear(x, weight, strategy)
    }

    /// See [`rms_norm()`].
    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        rms_norm::reference::rms_norm(x, weight, epsilon)
    }

    /// See [`rms_norm_rotary()`].
    fn rms_norm_rotary(
        x: Tensor<Self, 3>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
        cos: Tensor<Self, 2>,
        sin: Tensor<Self, 2>,
    ) -> Tensor<Self, 3> {
        rms_norm_rotary::reference::rms_norm_rotary(x, weight, epsilon, cos, sin)
    }

    /// See [`swiglu_mlp()`].
    fn swiglu_mlp(
        residual: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
        down: Tensor<Self, 2>,
        strategy: MatmulStrategy,
    ) -> Tensor<Self, 2> {
        swiglu_mlp::reference::swiglu_mlp(residual, x, gate, up, down, strategy)
    }

    /// See [`varlen_attention()`].
    fn varlen_attention(
        q: Tensor<Self, 3>,
        k: Tensor<Self, 3>,
        v: Tensor<Self, 3>,
        layout: &VarlenLayout,
        prefix: Option<&SharedPrefix<Self>>,
        scale: f64,
        products: DType,
    ) -> Tensor<Self, 3> {
        let _ = products;
        varlen_attention::reference::varlen_attention(q, k, v, layout, prefix, scale)
    }
}

/// `x · weightᵀ`, the weight as the checkpoint stores it.
///
/// The product is accumulated and returned in float32 whatever the weight's
/// dtype, and is safe for inputs and outputs beyond float16's 65,504: a
/// float16 weight never forces `x` or the result into float16's range.
///
/// # Shapes
/// - `x`: `[T, in]`, float32
/// - `weight`: `[out, in]`, float32, float16 or bfloat16
/// - `strategy`: one of [`Kernels::matmul_strategies`]; a shape that the device
///   doesn't take in this way is computed by plain units
/// - returns `[T, out]`, float32
pub fn linear<B: Kernels>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    strategy: MatmulStrategy,
) -> Tensor<B, 2> {
    <B as Kernels>::linear(x, weight, strategy)
}

/// [`linear()`] of one `x` with several weights.
///
/// # Shapes
/// - `x`: `[T, in]`, float32
/// - `weights`: each as [`linear()`]'s
/// - `strategy`: as [`linear()`]'s
/// - returns `[T, out]` of each weight's own `out`, float32
pub fn linears<B: Kernels, const N: usize>(
    x: Tensor<B, 2>,
    weights: [Tensor<B, 2>; N],
    strategy: MatmulStrategy,
) -> [Tensor<B, 2>; N] {
    B::linears(x, weights, strategy)
}

/// `residual + x · weightᵀ`
///
/// # Shapes
/// - `residual`: `[T, out]`, float32
/// - `x`, `weight`, `strategy`: as [`linear()`]'s
/// - returns `[T, out]`, float32
pub fn linear_add<B: Kernels>(
    residual: Tensor<B, 2>,
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    strategy: MatmulStrategy,
) -> Tensor<B, 2> {
    B::linear_add(residual, x, weight, strategy)
}

/// `weight · x / sqrt(mean(x²) + epsilon)` over the last dimension
/// (Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4).
///
/// # Shapes
/// - `x`: `[T, C]`, float32
/// - `weight`: `[C]`, float32
/// - returns `[T, C]`
pub fn rms_norm<B: Kernels>(x: Tensor<B, 2>, weight: Tensor<B, 1>, epsilon: f64) -> Tensor<B, 2> {
    B::rms_norm(x, weight, epsilon)
}

/// [`rms_norm`] of each head, which is then turned by its token's position, in
/// the split-half layout of Hugging Face checkpoints (Su et al. 2021,
/// arXiv:2104.09864, eq. 34):
///
/// ```text
///   one head   x = [ x0 x1 … x(D/2-1) | y0 y1 … y(D/2-1) ]
///   pair i     (xi, yi)  turned by the angle of frequency i:
///              xi' = xi·cos i − yi·sin i
///              yi' = yi·cos i + xi·sin i
/// ```
///
/// `burn::nn::RotaryEncoding` turns neighbours (x0, x1) instead: not Qwen3's layout.
///
/// # Shapes
/// - `x`: `[T, H, D]`, float32, `D` even
/// - `weight`: `[D]`, float32
/// - `cos`, `sin`: `[T, D/2]`, float32, one row per token
/// - returns `[T, H, D]`
pub fn rms_norm_rotary<B: Kernels>(
    x: Tensor<B, 3>,
    weight: Tensor<B, 1>,
    epsilon: f64,
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
) -> Tensor<B, 3> {
    B::rms_norm_rotary(x, weight, epsilon, cos, sin)
}

/// `residual + (silu(x · gateᵀ) · (x · upᵀ)) · downᵀ`, the gate element by
/// element, with `silu(x) = x / (1 + exp(-x))` (Shazeer 2020, arXiv:2002.05202, eq. 5).
///
/// # Shapes
/// - `residual`, `x`: `[T, C]`, float32
/// - `gate`, `up`: `[F, C]`, `down`: `[C, F]`, each as [`linear()`]'s weight
/// - `strategy`: as [`linear()`]'s
/// - returns `[T, C]`, float32
pub fn swiglu_mlp<B: Kernels>(
    residual: Tensor<B, 2>,
    x: Tensor<B, 2>,
    gate: Tensor<B, 2>,
    up: Tensor<B, 2>,
    down: Tensor<B, 2>,
    strategy: MatmulStrategy,
) -> Tensor<B, 2> {
    B::swiglu_mlp(residual, x, gate, up, down, strategy)
}

/// Causal softmax attention within each sequence of a packed batch, with
/// grouped heads: query head `h` reads key and value head `h / (H/K)`.
///
/// The last query of a sequence is aligned with its last key, so that a layer
/// may ask for only the last rows of each sequence. Keys and values of an
/// optional [`SharedPrefix`] stand before those of every sequence.
///
/// Memory is bounded: no more than a fixed number of scores exist at a time,
/// whatever the length of a text.
///
/// # Shapes
/// - `q`: `[Tq, H, D]`, `k`, `v`: `[Tk, K, D]`, float32
/// - `layout`: the sequences' bounds in `Tq` and `Tk`
/// - `products`: what queries, keys, values and attention weights may be rounded
///   to before they are multiplied, as [`linear()`] does with the weight's dtype;
///   with float32 nothing is
/// - returns `[Tq, H, D]`, float32
///
/// # Panics
/// If the layout does not cover `q` and `k`, which only a bug of the caller's can do.
pub fn varlen_attention<B: Kernels>(
    q: Tensor<B, 3>,
    k: Tensor<B, 3>,
    v: Tensor<B, 3>,
    layout: &VarlenLayout,
    prefix: Option<&SharedPrefix<B>>,
    scale: f64,
    products: DType,
) -> Tensor<B, 3> {
    layout.assert_covers(q.dims()[0], k.dims()[0]);
    B::varlen_attention(q, k, v, layout, prefix, scale, products)
}
