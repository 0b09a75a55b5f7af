//! How much a device and dtype may differ from Transformers in float32. The
//! one table of bounds; each was measured, and says why it is not smaller.

use qwen3_engine::{DeviceId, Dtype, GpuApi};
use serde::Serialize;

/// What must hold in one kind of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// Of every stage: the largest difference in units of the stage's root mean square.
    pub stage: f64,
    /// Of embeddings: the least cosine.
    pub cosine: f64,
    /// Of numbers of unit vectors and of log-odds: the largest difference.
    /// Documents whose similarities are closer than this may change places.
    pub output: f64,
    /// Of the same: the largest difference between a text alone and in a batch.
    pub batch: f64,
    /// Where the bounds come from.
    pub reason: &'static str,
}

/// Float32 activations and products, and weights that the dtype holds exactly.
/// Measured on `cpu`, `ndarray`, `wgpu` and software `vulkan` with the
/// fixtures: 9.8e-6, 1 − 1.6e-12, 3.6e-6 and 6.6e-7; on `cpu` with random
/// weights of the 0.6B shape and up to 3,852 tokens: 2.0e-5 and 1 − 1.5e-12.
/// The smallest fault known, a wrong `rms_norm_eps`, is 1.4e-4.
const EXACT: Bounds = Bounds {
    stage: 5e-5,
    cosine: 0.999_999_9,
    output: 2e-5,
    batch: 2e-6,
    reason: "sums of float32 in another order",
};

/// Weights rounded to float16, or activations rounded to it for a GPU's
/// products. Measured on software Vulkan with the fixtures: 9.0e-3, 1 − 3.7e-6,
/// 3.9e-3 and 0; a GPU may choose a kernel by the batch's size.
const FLOAT16: Bounds = Bounds {
    stage: 2e-2,
    cosine: 0.9999,
    output: 1e-2,
    batch: 2e-3,
    reason: "11 bits of mantissa: each factor of a product is off by up to 5e-4",
};

/// Weights rounded to bfloat16, or inputs rounded to it for products. Measured
/// on `cpu` with `vdpbf16ps` and the fixtures: 1.2e-1, 1 − 6.7e-4 (float16
/// weights rounded too; 1 − 4.6e-5 with bfloat16 weights), 1.8e-2 and 0.
const BFLOAT16: Bounds = Bounds {
    stage: 2e-1,
    cosine: 0.999,
    output: 5e-2,
    batch: 1e-2,
    reason: "8 bits of mantissa: each factor of a product is off by up to 4e-3",
};

/// Blocks on the CPU, against float32 of the same numbers: inputs rounded to 8 bits with a scale
/// for 32 of them, or to bfloat16 with the widened numbers. Measured with the fixtures, whose rows
/// have one scale or three: with AVX-512-VNNI 5.0e-1, 1 − 2.1e-3, 8.2e-2 and 0; with AVX2 3.0e-1,
/// 1 − 1.7e-3, 8.6e-2 and 0; with AMX, in bfloat16, 1.2e-1, 1 − 3.8e-4, 3.2e-2 and 0.
const BLOCKS: Bounds = Bounds {
    stage: 1.0,
    cosine: 0.995,
    output: 1.5e-1,
    reason: "inputs of 8 bits, or numbers and inputs of 8 bits of mantissa",
    ..BFLOAT16
};

/// Blocks through CUDA: numbers and inputs of products rounded to float16, of attention to
/// bfloat16. Measured on an H100: 7.2e-2, 1 − 1.1e-4, 1.4e-2 and 5.5e-4.
const BLOCKS_ON_CUDA: Bounds =
    Bounds { reason: "8 bits of mantissa in attention, 11 in products", ..BFLOAT16 };

/// The bounds for weights that are `stored` in one dtype and held in another.
pub fn bounds(device: DeviceId, dtype: Dtype, stored: Dtype) -> Bounds {
    let on_processor = matches!(device, DeviceId::Cpu | DeviceId::NdArray);
    match dtype {
        Dtype::F32 => EXACT,
        Dtype::F16 if on_processor && stored == Dtype::F16 => EXACT,
        Dtype::F16 => FLOAT16,
        Dtype::Bf16 => BFLOAT16,
        _ if device == DeviceId::Cpu => BLOCKS,
        _ if matches!(device, DeviceId::Gpu { api: GpuApi::Cuda, .. }) => BLOCKS_ON_CUDA,
        // Tensor cores take numbers that were widened to float16, plain units float32.
        _ if on_processor => EXACT,
        _ => FLOAT16,
    }
}
