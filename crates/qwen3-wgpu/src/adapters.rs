//! Which GPUs there are, and opening one. Nothing here panics where there is
//! no GPU or no driver: adapters are enumerated before CubeCL hears of them.

use burn_wgpu::{RuntimeOptions, WgpuDevice, WgpuSetup, graphics, init_device, init_setup};
use cubecl::future::block_on;
use qwen3::{DeviceInfo, DeviceKind, Dtype};
use qwen3_kernels::before_opening;
use std::sync::{Mutex, OnceLock};

/// A way to reach GPUs, and the compiler used for its kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// Whatever the system has, kernels in WGSL: the most widely tested path.
    Wgpu,
    /// Vulkan with kernels in SPIR-V, which can use tensor cores.
    Vulkan,
    /// Metal with kernels in its own language.
    Metal,
    /// DirectX 12, kernels in WGSL.
    Dx12,
}

/// A GPU that can't be opened.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum OpenError {
    /// There are fewer adapters than the index asks for.
    #[error("there is no {api:?} device {index} here, {found} found; `qwen3 devices` lists them")]
    NotFound { api: Api, index: usize, found: usize },
    /// The driver refuses.
    #[error("the driver of `{name}` refuses to open it: {message}")]
    Refused { name: String, message: String },
}

/// The GPUs behind an API, best first. Empty without a driver.
pub fn devices(api: Api) -> Vec<DeviceInfo> {
    enumerate(api).iter().map(describe).collect()
}

/// The GPU as Burn knows it, by its index in [`devices`]; opened once per process.
///
/// # Errors
/// If there is no such GPU, or its driver refuses.
pub fn open(api: Api, index: usize) -> Result<WgpuDevice, OpenError> {
    static OPENED: Mutex<Vec<(Api, usize, WgpuDevice)>> = Mutex::new(Vec::new());
    let mut opened = OPENED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some((_, _, device)) = opened.iter().find(|(a, i, _)| (*a, *i) == (api, index)) {
        return Ok(device.clone());
    }
    let mut adapters = enumerate(api);
    if index >= adapters.len() {
        return Err(OpenError::NotFound { api, index, found: adapters.len() });
    }
    let DeviceInfo { name, driver, .. } = describe(&adapters[index]);
    before_opening(&format!("{name}, {api:?}, {}", driver.unwrap_or_default()));
    let device = match api {
        Api::Wgpu | Api::Dx12 => open_wgsl(adapters.swap_remove(index))?,
        Api::Vulkan => open_native::<graphics::Vulkan>(&adapters, index),
        Api::Metal => open_native::<graphics::Metal>(&adapters, index),
    };
    opened.push((api, index, device.clone()));
    Ok(device)
}

/// Bytes that may still be allocated on the GPU at `index` in [`devices`], where its driver
/// says so: Vulkan's do.
pub fn free_bytes(api: Api, index: usize) -> Option<u64> {
    #[cfg(not(target_vendor = "apple"))]
    return qwen3_sys::vulkan_memory::free_bytes(enumerate(api).get(index)?);
    #[cfg(target_vendor = "apple")]
    {
        let _ = (api, index);
        None
    }
}

/// The system is asked once per process: loading drivers takes a while.
fn enumerate(api: Api) -> Vec<wgpu::Adapter> {
    static ADAPTERS: OnceLock<Vec<wgpu::Adapter>> = OnceLock::new();
    let all = ADAPTERS.get_or_init(|| {
        let mut adapters = block_on(instance().enumerate_adapters(BACKENDS));
        // A stable sort: adapters of one kind stay in the driver's order.
        adapters.sort_by_key(kind);
        adapters
    });
    let is_of_api = |adapter: &&wgpu::Adapter| match api {
        Api::Wgpu => true,
        Api::Vulkan => adapter.get_info().backend == wgpu::Backend::Vulkan,
        Api::Metal => adapter.get_info().backend == wgpu::Backend::Metal,
        Api::Dx12 => adapter.get_info().backend == wgpu::Backend::Dx12,
    };
    all.iter().filter(is_of_api).cloned().collect()
}

/// OpenGL is left out: its compute shaders lack too much.
const BACKENDS: wgpu::Backends =
    wgpu::Backends::VULKAN.union(wgpu::Backends::METAL).union(wgpu::Backends::DX12);

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: BACKENDS,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    })
}

fn kind(adapter: &wgpu::Adapter) -> DeviceKind {
    match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu,
        wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu,
        wgpu::DeviceType::VirtualGpu => DeviceKind::VirtualGpu,
        wgpu::DeviceType::Cpu => DeviceKind::Software,
        wgpu::DeviceType::Other => DeviceKind::OtherGpu,
    }
}

fn describe(adapter: &wgpu::Adapter) -> DeviceInfo {
    let info = adapter.get_info();
    // Bfloat16 is left out: on drivers without it an upload is accepted and
    // the answers are wrong, without an error.
    let mut dtypes = vec![Dtype::F32];
    if adapter.features().contains(wgpu::Features::SHADER_F16) {
        dtypes.push(Dtype::F16);
    }
    let driver = format!("{:?}, {} {}", info.backend, info.driver, info.driver_info);
    DeviceInfo {
        name: info.name,
        kind: kind(adapter),
        driver: Some(driver.trim().to_owned()),
        memory_bytes: None,
        dtypes,
        max_tensor_bytes: adapter.limits().max_storage_buffer_binding_size,
    }
}

/// A device whose kernels are compiled from WGSL, whatever the API.
fn open_wgsl(adapter: wgpu::Adapter) -> Result<WgpuDevice, OpenError> {
    let features = adapter.features();
    let request = adapter.request_device(&wgpu::DeviceDescriptor {
        label: None,
        required_features: features
            .difference(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
            .difference(wgpu::Features::all_experimental_mask()),
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        trace: wgpu::Trace::Off,
        experimental_features: wgpu::ExperimentalFeatures::disabled(),
    });
    let (device, queue) = block_on(request).map_err(|error| OpenError::Refused {
        name: adapter.get_info().name,
        message: error.to_string(),
    })?;
    // CubeCL compiles WGSL for every backend but Vulkan and Metal, so it is
    // told of another; it uses this field for nothing else.
    let backend = wgpu::Backend::BrowserWebGpu;
    let setup = WgpuSetup { instance: instance(), adapter, device, queue, backend };
    Ok(init_device(setup, RuntimeOptions::default()))
}

/// A device whose kernels are compiled to the API's own language.
fn open_native<G: graphics::GraphicsApi>(adapters: &[wgpu::Adapter], index: usize) -> WgpuDevice {
    let kind_of_index = kind(&adapters[index]);
    let within_kind =
        adapters[..index].iter().filter(|adapter| kind(adapter) == kind_of_index).count();
    let device = match kind_of_index {
        DeviceKind::DiscreteGpu => WgpuDevice::DiscreteGpu(within_kind),
        DeviceKind::IntegratedGpu => WgpuDevice::IntegratedGpu(within_kind),
        DeviceKind::VirtualGpu => WgpuDevice::VirtualGpu(within_kind),
        DeviceKind::Software => WgpuDevice::Cpu,
        _ => WgpuDevice::DefaultDevice,
    };
    init_setup::<G>(&device, RuntimeOptions::default());
    device
}
