//! Qwen3 compiled for GPUs behind Vulkan, Metal and DirectX 12, through wgpu.
//!
//! Only finds and opens adapters, and instantiates; nothing is computed here.
#![recursion_limit = "256"]

mod adapters;

pub use adapters::{Adapter, AdapterKind, Api, OpenError, adapters, open};
use burn_cubecl::CubeBackend;
use burn_wgpu::{WgpuDevice, WgpuRuntime};

qwen3::compile_for!(CubeBackend<WgpuRuntime, f32, i32, u32>, Device);

/// An opened GPU.
pub type Device = WgpuDevice;
