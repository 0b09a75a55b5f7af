//! The linear layer in plain Burn operations.

use burn::tensor::{DType, Tensor, backend::Backend};

/// See [`crate::Kernels::linears`].
pub fn linear<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    match weight.dtype() {
        DType::F16 => {
            let (x, rms) = unit_rms_rows(x);
            matmul_in_weight_dtype(x, weight) * rms
        }
        _ => matmul_in_weight_dtype(x, weight),
    }
}

/// Mixed dtypes in one operation are not safe in Burn 0.21 (wgpu answers wrong
/// without an error), so the activations take the weight's dtype.
///
/// As `(weight · xᵀ)ᵀ`, because ndarray copies a transposed operand at every
/// call: better the activations than the weight.
fn matmul_in_weight_dtype<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    let x = x.cast(weight.dtype());
    weight.matmul(x.transpose()).transpose().cast(DType::F32)
}

/// Rows divided by their root mean square, and that divisor `[T, 1]`.
///
/// After it no input exceeds `sqrt(in)` and no output exceeds
/// `sqrt(in) · |row of weight|`: float16 holds both, though the residual stream
/// of real checkpoints passes 65,504 (QwenLM/Qwen3-Embedding#164).
fn unit_rms_rows<B: Backend>(x: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    // Divided by the largest value first: the squares of 1e20 overflow float32 as well.
    let largest = x.clone().abs().max_dim(1).clamp_min(f32::MIN_POSITIVE); // [T, 1]
    let x = x / largest.clone();
    let rms = x.clone().powi_scalar(2).mean_dim(1).sqrt();
    let rms = rms.clamp_min(1e-20);
    (x / rms.clone(), rms * largest)
}
