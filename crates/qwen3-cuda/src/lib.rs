//! Qwen3 compiled for NVIDIA GPUs through CUDA.
//!
//! Only asks for and opens devices, and instantiates; nothing is computed here.
#![recursion_limit = "256"]

use burn_cubecl::CubeBackend;
use burn_cuda::CudaDevice;
use cubecl::cuda::CudaRuntime;
use qwen3::{DeviceInfo, DeviceKind, Dtype, OpenDevice};
use qwen3_kernels::before_opening;
use qwen3_sys::cuda_driver::{CudaGpu, gpus};

pub use qwen3_kernels::keep_kernels_in;
pub use qwen3_sys::cuda_driver::{Unavailable, free_bytes};

/// The GPUs, in the driver's order.
///
/// # Errors
/// If the driver or the compiler that kernels need is missing.
pub fn devices() -> Result<Vec<DeviceInfo>, Unavailable> {
    // CubeCL takes the headers from there, and panics without.
    let toolkit = cubecl::cuda::install::cuda_path();
    Ok(gpus(toolkit.as_deref())?.into_iter().map(describe).collect())
}

/// Opens the GPU at `index` in [`devices`].
///
/// # Errors
/// As [`devices`], and if there are fewer GPUs.
pub fn open(index: usize) -> Result<Box<dyn OpenDevice>, Unavailable> {
    Ok(qwen3::open_device::<CubeBackend<CudaRuntime, f32, i32, u8>>(device(index)?))
}

/// The same GPU, to train on.
///
/// # Errors
/// As [`open`].
#[cfg(feature = "train")]
pub fn open_training(index: usize) -> Result<Box<dyn qwen3_autodiff::OpenTraining>, Unavailable> {
    Ok(qwen3_autodiff::open_training::<CubeBackend<CudaRuntime, f32, i32, u8>>(device(index)?))
}

fn device(index: usize) -> Result<CudaDevice, Unavailable> {
    let gpus = devices()?;
    let found = gpus.len();
    let gpu = gpus.get(index).ok_or(Unavailable::NotFound { index, found })?;
    before_opening(&format!("{}, {}", gpu.name, gpu.driver.as_deref().unwrap_or_default()));
    Ok(CudaDevice::new(index))
}

fn describe(gpu: CudaGpu) -> DeviceInfo {
    DeviceInfo {
        name: gpu.name,
        kind: DeviceKind::DiscreteGpu,
        driver: Some(format!("CUDA {}", gpu.driver)),
        memory_bytes: Some(gpu.memory_bytes),
        dtypes: vec![Dtype::F32, Dtype::Bf16, Dtype::F16],
        max_tensor_bytes: u64::MAX,
    }
}
