//! Qwen3 compiled for NVIDIA GPUs through CUDA.
//!
//! Only asks for and opens devices, and instantiates; nothing is computed here.
#![recursion_limit = "256"]

use burn_cubecl::CubeBackend;
use burn_cuda::CudaDevice;
use cubecl::cuda::CudaRuntime;
use qwen3::Dtype;
pub use qwen3_kernels::cuda_driver::{CudaGpu, Unavailable, gpus};

qwen3::compile_for!(CubeBackend<CudaRuntime, f32, i32, u8>, Device);

/// An opened GPU.
pub type Device = CudaDevice;

/// Dtypes that weights can be held in.
pub const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::Bf16, Dtype::F16];

/// Opens the GPU at `index` in [`gpus`].
///
/// # Errors
/// If the driver or the compiler that kernels need is missing, or if there are
/// fewer GPUs.
pub fn open(index: usize) -> Result<Device, Unavailable> {
    let found = gpus()?.len();
    if index >= found {
        return Err(Unavailable::NotFound { index, found });
    }
    Ok(CudaDevice::new(index))
}
