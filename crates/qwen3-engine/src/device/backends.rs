//! The backends of this build: the only file that names their crates.

use super::{Absent, Device, DeviceId, Devices, GpuApi};
use crate::error::Error;
use qwen3::{DeviceInfo, OpenDevice};
#[cfg(any(feature = "cpu", feature = "ndarray"))]
use qwen3::{DeviceKind, Dtype};

#[cfg(not(any(feature = "cpu", feature = "ndarray", feature = "wgpu", feature = "cuda")))]
compile_error!("build with at least one backend: cpu, gpu, cuda or ndarray");

/// The interfaces to GPUs that a system can have.
const GPU_APIS: &[GpuApi] = if cfg!(target_os = "macos") {
    &[GpuApi::Metal, GpuApi::Wgpu]
} else if cfg!(target_os = "windows") {
    &[GpuApi::Cuda, GpuApi::Vulkan, GpuApi::Dx12, GpuApi::Wgpu]
} else {
    &[GpuApi::Cuda, GpuApi::Vulkan, GpuApi::Wgpu]
};

/// Opens a device.
pub fn open(id: DeviceId) -> Result<Box<dyn OpenDevice>, Error> {
    match id {
        #[cfg(feature = "cpu")]
        DeviceId::Cpu => Ok(qwen3_cpu::open()),
        #[cfg(feature = "ndarray")]
        DeviceId::NdArray => Ok(qwen3_ndarray::open()),
        #[cfg(feature = "cuda")]
        DeviceId::Gpu { api: GpuApi::Cuda, index } => {
            qwen3_cuda::open(index).map_err(|error| unavailable(id, &error))
        }
        #[cfg(feature = "wgpu")]
        DeviceId::Gpu { api, index } if api != GpuApi::Cuda => {
            qwen3_wgpu::open(wgpu_api(api), index).map_err(|error| unavailable(id, &error))
        }
        #[allow(unreachable_patterns, reason = "reached where a backend is left out")]
        _ => Err(Error::NotBuilt { device: id, feature: id.feature() }),
    }
}

/// Opens a device to train on.
#[cfg(feature = "train")]
pub fn open_training(id: DeviceId) -> Result<Box<dyn qwen3_autodiff::OpenTraining>, Error> {
    match id {
        #[cfg(feature = "cpu")]
        DeviceId::Cpu => Ok(qwen3_cpu::open_training()),
        #[cfg(feature = "ndarray")]
        DeviceId::NdArray => Ok(qwen3_ndarray::open_training()),
        #[cfg(feature = "cuda")]
        DeviceId::Gpu { api: GpuApi::Cuda, index } => {
            qwen3_cuda::open_training(index).map_err(|error| unavailable(id, &error))
        }
        #[cfg(feature = "wgpu")]
        DeviceId::Gpu { api, index } if api != GpuApi::Cuda => {
            qwen3_wgpu::open_training(wgpu_api(api), index).map_err(|error| unavailable(id, &error))
        }
        #[allow(unreachable_patterns, reason = "reached where a backend is left out")]
        _ => Err(Error::NotBuilt { device: id, feature: id.feature() }),
    }
}

/// Bytes of a GPU's memory that are free, where its driver says so.
pub fn free_bytes(id: DeviceId) -> Option<u64> {
    match id {
        #[cfg(feature = "cuda")]
        DeviceId::Gpu { api: GpuApi::Cuda, index } => qwen3_cuda::free_bytes(index),
        #[cfg(feature = "wgpu")]
        DeviceId::Gpu { api, index } if api != GpuApi::Cuda => {
            qwen3_wgpu::free_bytes(wgpu_api(api), index)
        }
        _ => None,
    }
}

/// The devices that differ from this one by their index.
fn siblings(id: DeviceId) -> Result<Vec<DeviceInfo>, Error> {
    match id {
        #[cfg(feature = "cpu")]
        DeviceId::Cpu => Ok(vec![processor(&qwen3_cpu::DTYPES)]),
        #[cfg(feature = "ndarray")]
        DeviceId::NdArray => Ok(vec![processor(&qwen3_ndarray::DTYPES)]),
        #[cfg(feature = "cuda")]
        DeviceId::Gpu { api: GpuApi::Cuda, .. } => {
            qwen3_cuda::devices().map_err(|error| unavailable(id, &error))
        }
        #[cfg(feature = "wgpu")]
        DeviceId::Gpu { api, .. } if api != GpuApi::Cuda => Ok(qwen3_wgpu::devices(wgpu_api(api))),
        #[allow(unreachable_patterns, reason = "reached where a backend is left out")]
        _ => Err(Error::NotBuilt { device: id, feature: id.feature() }),
    }
}

/// A device that can be opened.
pub fn describe(id: DeviceId) -> Result<Device, Error> {
    let info = siblings(id)?.into_iter().nth(id.index());
    let gone = || Error::DeviceUnavailable { device: id, reason: "it is gone".to_owned() };
    Ok(Device::new(id, info.ok_or_else(gone)?))
}

/// Every device of every backend.
pub fn list() -> Devices {
    let gpu = |index| move |&api| DeviceId::Gpu { api, index };
    let firsts = GPU_APIS.iter().map(gpu(0)).chain([DeviceId::Cpu, DeviceId::NdArray]);
    let mut devices = Devices::default();
    for first in firsts {
        let absent = |reason| Absent { name: first.name(), reason };
        match siblings(first) {
            Ok(infos) if infos.is_empty() => {
                devices.absent.push(absent("no driver found".to_owned()));
            }
            Ok(infos) => {
                devices.found.extend(infos.into_iter().enumerate().map(|(index, info)| {
                    let id = match first {
                        DeviceId::Gpu { api, .. } => DeviceId::Gpu { api, index },
                        processor => processor,
                    };
                    Device::new(id, info)
                }))
            }
            Err(Error::DeviceUnavailable { reason, .. }) => devices.absent.push(absent(reason)),
            Err(_) => {
                let feature = first.feature();
                let reason = format!("not part of this build; build with the feature `{feature}`");
                devices.absent.push(absent(reason));
            }
        }
    }
    devices
}

#[cfg(feature = "wgpu")]
fn wgpu_api(api: GpuApi) -> qwen3_wgpu::Api {
    match api {
        GpuApi::Vulkan => qwen3_wgpu::Api::Vulkan,
        GpuApi::Metal => qwen3_wgpu::Api::Metal,
        GpuApi::Dx12 => qwen3_wgpu::Api::Dx12,
        GpuApi::Wgpu | GpuApi::Cuda => qwen3_wgpu::Api::Wgpu,
    }
}

#[cfg(any(feature = "cpu", feature = "ndarray"))]
fn processor(dtypes: &[Dtype]) -> DeviceInfo {
    let processor = super::system::processor();
    DeviceInfo {
        name: processor.name,
        kind: DeviceKind::Processor,
        driver: None,
        memory_bytes: Some(processor.memory_bytes),
        dtypes: dtypes.to_vec(),
        max_tensor_bytes: u64::MAX,
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn unavailable(device: DeviceId, reason: &dyn std::error::Error) -> Error {
    Error::DeviceUnavailable { device, reason: reason.to_string() }
}

/// From now on the device `cpu` of this process uses no vector instructions
/// beyond these: `portable`, `avx2`, `avx-vnni`, `avx512`, `avx512-vnni`, `avx512-bf16` or
/// `amx-bf16`, on Arm `neon`, `neon-dotprod` or `neon-bf16`. For tests, and for comparing speeds.
///
/// # Errors
/// If there is no such name.
pub fn limit_cpu_isa(name: &str) -> Result<(), Error> {
    #[cfg(feature = "cpu")]
    {
        let isa = name.parse::<qwen3_cpu::Isa>();
        let isa = isa.map_err(|error| Error::UnknownIsa { message: error.to_string() })?;
        qwen3_cpu::Isa::limit(isa);
    }
    #[cfg(not(feature = "cpu"))]
    let _ = name;
    Ok(())
}

/// Has the kernels kept in a folder that are compiled for GPUs opened from now on, for the next
/// process: compiling takes most of the time to a first vector. It holds a part for each GPU, its
/// driver and this program; those that nobody used for 30 days are deleted. Where it can't be
/// written to, nothing is kept.
pub fn keep_kernels_in(folder: std::path::PathBuf) {
    #[cfg(feature = "cuda")]
    qwen3_cuda::keep_kernels_in(folder.clone());
    #[cfg(feature = "wgpu")]
    qwen3_wgpu::keep_kernels_in(folder.clone());
    drop(folder);
}
