//! The choice of a backend at run time, written once: a packed batch in, rows out.

use crate::device::{Absent, DeviceId, DeviceInfo};
use crate::error::Error;
use qwen3::{
    Config, Dtype, Factors, MatmulStrategy, OnTensor, PackedBatch, Recorded, Rows, Storage, Weights,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[cfg(not(any(feature = "cpu", feature = "ndarray", feature = "wgpu", feature = "cuda")))]
compile_error!("build with at least one backend: cpu, ndarray, wgpu or cuda");

/// [`DeviceInfo::kind`] of drivers that compute on the processor.
pub(crate) const SOFTWARE: &str = "software";

/// A network loaded on one device.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one per loaded model")]
pub(crate) enum Backend {
    #[cfg(feature = "cpu")]
    Cpu(qwen3_cpu::Model),
    #[cfg(feature = "ndarray")]
    NdArray(qwen3_ndarray::Model),
    #[cfg(feature = "wgpu")]
    Wgpu(qwen3_wgpu::Model),
    #[cfg(feature = "cuda")]
    Cuda(qwen3_cuda::Model),
}

/// The same call on whichever backend it is.
macro_rules! each {
    ($backend:expr, $model:ident => $call:expr) => {
        match $backend {
            #[cfg(feature = "cpu")]
            Backend::Cpu($model) => $call,
            #[cfg(feature = "ndarray")]
            Backend::NdArray($model) => $call,
            #[cfg(feature = "wgpu")]
            Backend::Wgpu($model) => $call,
            #[cfg(feature = "cuda")]
            Backend::Cuda($model) => $call,
        }
    };
}

/// The same call with the networks of whichever backend the device is of: how
/// they become a [`Backend`], their type, and the device, opened.
macro_rules! opened {
    ($device:expr, |$wrap:ident, $model:ident, $opened:ident| $call:expr) => {
        guarded($device, || match $device {
            #[cfg(feature = "cpu")]
            DeviceId::Cpu => {
                use qwen3_cpu::Model as $model;
                let ($wrap, $opened) = (Backend::Cpu, Default::default());
                $call
            }
            #[cfg(feature = "ndarray")]
            DeviceId::NdArray => {
                use qwen3_ndarray::Model as $model;
                let ($wrap, $opened) = (Backend::NdArray, Default::default());
                $call
            }
            #[cfg(feature = "wgpu")]
            DeviceId::Wgpu(index)
            | DeviceId::Vulkan(index)
            | DeviceId::Metal(index)
            | DeviceId::Dx12(index) => {
                use qwen3_wgpu::Model as $model;
                let opened = qwen3_wgpu::open(api($device), index);
                let $opened = opened.map_err(|error| unavailable($device, &error))?;
                let $wrap = Backend::Wgpu;
                $call
            }
            #[cfg(feature = "cuda")]
            DeviceId::Cuda(index) => {
                use qwen3_cuda::Model as $model;
                let opened = qwen3_cuda::open(index);
                let $opened = opened.map_err(|error| unavailable($device, &error))?;
                let $wrap = Backend::Cuda;
                $call
            }
            #[allow(unreachable_patterns, reason = "reached where a backend is left out")]
            _ => Err(not_built($device)),
        })
    };
}

impl Backend {
    /// Opens the device and loads the network on it.
    pub fn load(
        device: DeviceId,
        weights: &Weights,
        config: &Config,
        storage: Storage,
        on_tensor: OnTensor,
    ) -> Result<Self, Error> {
        opened!(device, |wrap, Model, opened| {
            Ok(wrap(Model::load(weights, config, storage, &opened, on_tensor)?))
        })
    }

    /// See [`qwen3::Runner::strategies`].
    pub fn strategies(device: DeviceId, dtype: Dtype) -> Result<Vec<MatmulStrategy>, Error> {
        opened!(device, |_wrap, Model, opened| Ok(Model::strategies(dtype, &opened)))
    }

    /// See [`qwen3::Runner::product`].
    pub fn product(
        device: DeviceId,
        factors: &Factors,
        dtype: Dtype,
        strategy: MatmulStrategy,
    ) -> Result<Vec<f32>, Error> {
        opened!(device, |_wrap, Model, opened| {
            Ok(Model::product(factors, dtype, strategy, &opened)?)
        })
    }

    /// See [`qwen3::Runner::forward`].
    pub fn forward(
        &self,
        device: DeviceId,
        batch: &PackedBatch,
        rows: Rows,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, Error> {
        guarded(device, || Ok(each!(self, model => model.forward(batch, rows, should_stop))?))
    }

    /// See [`qwen3::Runner::stages`].
    pub fn stages(
        &self,
        device: DeviceId,
        batch: &PackedBatch,
        tokens: &[u32],
    ) -> Result<Vec<Recorded>, Error> {
        guarded(device, || Ok(each!(self, model => model.stages(batch, tokens))?))
    }

    /// Gives the memory of earlier calls back to the system, but for so many bytes.
    pub fn shrink_buffers(&self, max_bytes: u64) {
        #[cfg(feature = "cpu")]
        if matches!(self, Self::Cpu(_)) {
            qwen3_cpu::buffers::shrink(usize::try_from(max_bytes).unwrap_or(usize::MAX));
        }
        let _ = max_bytes;
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.shrink_buffers(0);
    }
}

/// Dtypes that the device can hold weights in.
pub(crate) fn dtypes(device: DeviceId) -> Result<Vec<Dtype>, Error> {
    match device {
        #[cfg(feature = "cpu")]
        DeviceId::Cpu => Ok(qwen3_cpu::DTYPES.to_vec()),
        #[cfg(feature = "ndarray")]
        DeviceId::NdArray => Ok(qwen3_ndarray::DTYPES.to_vec()),
        #[cfg(feature = "wgpu")]
        DeviceId::Wgpu(index)
        | DeviceId::Vulkan(index)
        | DeviceId::Metal(index)
        | DeviceId::Dx12(index) => {
            let api = api(device);
            let mut adapters = qwen3_wgpu::adapters(api);
            if index >= adapters.len() {
                let found = adapters.len();
                let error = qwen3_wgpu::OpenError::NotFound { api, index, found };
                return Err(unavailable(device, &error));
            }
            Ok(adapters.swap_remove(index).dtypes)
        }
        #[cfg(feature = "cuda")]
        DeviceId::Cuda(_) => Ok(qwen3_cuda::DTYPES.to_vec()),
        #[allow(unreachable_patterns, reason = "reached where a backend is left out")]
        _ => Err(not_built(device)),
    }
}

/// The largest tensor that the device can be given. CubeCL only notices on
/// another thread, and then answers wrong.
pub(crate) fn max_tensor_bytes(device: DeviceId) -> u64 {
    let limit: Option<u64> = match device {
        #[cfg(feature = "wgpu")]
        DeviceId::Wgpu(index)
        | DeviceId::Vulkan(index)
        | DeviceId::Metal(index)
        | DeviceId::Dx12(index) => {
            qwen3_wgpu::adapters(api(device)).get(index).map(|adapter| adapter.max_tensor_bytes)
        }
        _ => None,
    };
    limit.unwrap_or(u64::MAX)
}

/// Memory of earlier calls that nobody uses now, and that the next one will use again.
pub(crate) fn unused_buffer_bytes(device: DeviceId) -> u64 {
    match device {
        #[cfg(feature = "cpu")]
        DeviceId::Cpu => qwen3_cpu::buffers::unused_bytes() as u64,
        _ => 0,
    }
}

/// From now on the device `cpu` of this process uses no vector instructions
/// beyond these: `portable`, `avx2`, `avx512`, `avx512-bf16` or `amx-bf16`, on Arm
/// `neon` or `neon-bf16`. For tests, and for comparing speeds.
///
/// # Errors
/// If there is no such name.
pub fn limit_cpu_isa(name: &str) -> Result<(), Error> {
    #[cfg(feature = "cpu")]
    {
        let isa = name.parse::<qwen3_cpu::Isa>();
        qwen3_cpu::Isa::limit(
            isa.map_err(|error| Error::UnknownIsa { message: error.to_string() })?,
        );
    }
    #[cfg(not(feature = "cpu"))]
    let _ = name;
    Ok(())
}

/// Every device of every backend of this build, and the backends without one.
pub(crate) fn list() -> (Vec<DeviceInfo>, Vec<Absent>) {
    #[allow(unused_mut, reason = "not every build has a backend that can be absent")]
    let (mut found, mut absent) = (vec![], vec![]);
    #[cfg(feature = "cuda")]
    match qwen3_cuda::gpus() {
        Ok(gpus) => found.extend(gpus.into_iter().enumerate().map(|(index, gpu)| DeviceInfo {
            id: DeviceId::Cuda(index),
            name: gpu.name,
            kind: "discrete GPU".to_owned(),
            driver: Some("CUDA".to_owned()),
            memory_bytes: Some(gpu.memory_bytes),
            dtypes: qwen3_cuda::DTYPES.to_vec(),
        })),
        Err(reason) => absent.push(Absent { name: "cuda", reason: reason.to_string() }),
    }
    #[cfg(feature = "wgpu")]
    for (name, id) in WGPU_APIS {
        let adapters = qwen3_wgpu::adapters(api(id(0)));
        if adapters.is_empty() {
            let reason = "no driver found".to_owned();
            absent.push(Absent { name, reason });
        }
        let adapters = adapters.into_iter().enumerate();
        found.extend(adapters.map(|(index, adapter)| wgpu_device(id(index), adapter)));
    }
    #[cfg(feature = "cpu")]
    found.push(processor(DeviceId::Cpu, &qwen3_cpu::DTYPES));
    #[cfg(feature = "ndarray")]
    found.push(processor(DeviceId::NdArray, &qwen3_ndarray::DTYPES));
    (found, absent)
}

/// A name on the command line, and the device of an index.
#[cfg(feature = "wgpu")]
type WgpuApi = (&'static str, fn(usize) -> DeviceId);

/// The interfaces that wgpu can have on this system.
#[cfg(all(feature = "wgpu", target_os = "macos"))]
const WGPU_APIS: [WgpuApi; 2] = [("metal", DeviceId::Metal), ("wgpu", DeviceId::Wgpu)];
#[cfg(all(feature = "wgpu", target_os = "windows"))]
const WGPU_APIS: [WgpuApi; 3] =
    [("vulkan", DeviceId::Vulkan), ("dx12", DeviceId::Dx12), ("wgpu", DeviceId::Wgpu)];
#[cfg(all(feature = "wgpu", not(any(target_os = "macos", target_os = "windows"))))]
const WGPU_APIS: [WgpuApi; 2] = [("vulkan", DeviceId::Vulkan), ("wgpu", DeviceId::Wgpu)];

#[cfg(feature = "wgpu")]
fn api(device: DeviceId) -> qwen3_wgpu::Api {
    match device {
        DeviceId::Vulkan(_) => qwen3_wgpu::Api::Vulkan,
        DeviceId::Metal(_) => qwen3_wgpu::Api::Metal,
        DeviceId::Dx12(_) => qwen3_wgpu::Api::Dx12,
        _ => qwen3_wgpu::Api::Wgpu,
    }
}

#[cfg(feature = "wgpu")]
fn wgpu_device(id: DeviceId, adapter: qwen3_wgpu::Adapter) -> DeviceInfo {
    use qwen3_wgpu::AdapterKind;
    let kind = match adapter.kind {
        AdapterKind::Discrete => "discrete GPU",
        AdapterKind::Integrated => "integrated GPU",
        AdapterKind::Virtual => "virtual GPU",
        AdapterKind::Other => "GPU",
        AdapterKind::Software => SOFTWARE,
    };
    DeviceInfo {
        id,
        name: adapter.name,
        kind: kind.to_owned(),
        driver: Some(format!("{}, {}", adapter.api, adapter.driver)),
        memory_bytes: None,
        dtypes: adapter.dtypes,
    }
}

#[cfg(any(feature = "cpu", feature = "ndarray"))]
fn processor(id: DeviceId, dtypes: &[Dtype]) -> DeviceInfo {
    let processor = crate::system::processor();
    DeviceInfo {
        id,
        name: processor.name,
        kind: "processor".to_owned(),
        driver: None,
        memory_bytes: Some(processor.memory_bytes),
        dtypes: dtypes.to_vec(),
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn unavailable(device: DeviceId, reason: &dyn std::error::Error) -> Error {
    Error::DeviceUnavailable { device, reason: reason.to_string() }
}

fn not_built(device: DeviceId) -> Error {
    let feature = match device {
        DeviceId::Cpu => "cpu",
        DeviceId::NdArray => "ndarray",
        DeviceId::Cuda(_) => "cuda",
        _ => "wgpu",
    };
    Error::NotBuilt { device, feature }
}

/// Turns a panic of a GPU library into an error. Burn and CubeCL answer a lost
/// device, a full memory or a driver's refusal with a panic.
pub(crate) fn guarded<T>(
    device: DeviceId,
    call: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Err(Error::Model(qwen3::Error::Device { message }))) => Err(failure(device, message)),
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(failure(device, text.unwrap_or("no message").to_owned()))
        }
    }
}

fn failure(device: DeviceId, message: String) -> Error {
    let lower = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["out of memory", "outofmemory", "out_of_memory", "not enough memory"]) {
        Error::OutOfMemory { device, message }
    } else if says(&["device lost", "devicelost", "device is lost", "parent device"]) {
        Error::DeviceLost { device, message }
    } else {
        Error::Device { device, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_and_failures_become_errors_by_their_cause() {
        let caught = |message: &'static str| {
            guarded::<()>(DeviceId::Wgpu(0), || std::panic::resume_unwind(Box::new(message)))
        };
        assert!(matches!(caught("Buffer: Not enough memory left"), Err(Error::OutOfMemory { .. })));
        assert!(matches!(caught("Parent device is lost"), Err(Error::DeviceLost { .. })));
        assert!(matches!(caught("something else"), Err(Error::Device { .. })));
    }
}
