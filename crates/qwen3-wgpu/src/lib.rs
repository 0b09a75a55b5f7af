//! Qwen3 compiled for GPUs behind Vulkan, Metal and DirectX 12, through wgpu.
//!
//! Only finds and opens adapters, and instantiates; nothing is computed here.
#![recursion_limit = "256"]

mod adapters;

pub use adapters::{Api, OpenError, devices, free_bytes, open as open_adapter};
use burn_cubecl::CubeBackend;
use burn_wgpu::WgpuRuntime;
use qwen3::OpenDevice;
pub use qwen3_kernels::keep_kernels_in;

/// Opens the GPU at `index` in [`devices`], once per process: later calls give
/// the same one.
///
/// # Errors
/// If there is no such GPU, or its driver refuses.
pub fn open(api: Api, index: usize) -> Result<Box<dyn OpenDevice>, OpenError> {
    let device = open_adapter(api, index)?;
    Ok(qwen3::open_device::<CubeBackend<WgpuRuntime, f32, i32, u32>>(device))
}

/// The same GPU, to train on.
///
/// # Errors
/// As [`open`].
#[cfg(feature = "train")]
pub fn open_training(
    api: Api,
    index: usize,
) -> Result<Box<dyn qwen3_autodiff::OpenTraining>, OpenError> {
    let device = open_adapter(api, index)?;
    Ok(qwen3_autodiff::open_training::<CubeBackend<WgpuRuntime, f32, i32, u32>>(device))
}
