//! Devices by their names.

use crate::names::{UnknownName, name_of, named};
use std::fmt;
use std::str::FromStr;

/// Where a model shall run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best that works: CUDA, then Metal or Vulkan, then other GPU
    /// interfaces, then the CPU. A GPU is checked against the CPU on small
    /// networks before it is trusted.
    #[default]
    Auto,
    /// This one. Of a GPU the matrix products are checked, since they choose how
    /// it multiplies.
    Named(DeviceId),
}

/// A device by its name: `cpu`, `vulkan`, `cuda:1`. Those that `auto` prefers come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeviceId {
    /// A graphics processor behind one of the interfaces that this build has.
    Gpu {
        /// How it is reached.
        api: GpuApi,
        /// Which of those behind this interface, as [`crate::devices()`] lists them.
        index: usize,
    },
    /// The processor, with Burn Flex.
    Cpu,
    /// The processor, with Burn ndarray: float32 only, slower.
    NdArray,
}

/// An interface to GPUs; those that `auto` prefers come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum GpuApi {
    /// NVIDIA's own, kernels compiled by its run-time compiler.
    Cuda,
    /// Apple's, kernels in its own language.
    Metal,
    /// Vulkan, kernels in SPIR-V.
    Vulkan,
    /// Microsoft's DirectX 12, kernels in WGSL.
    Dx12,
    /// Any interface that wgpu knows, kernels in WGSL.
    Wgpu,
}

const APIS: [(GpuApi, &str); 5] = [
    (GpuApi::Cuda, "cuda"),
    (GpuApi::Metal, "metal"),
    (GpuApi::Vulkan, "vulkan"),
    (GpuApi::Dx12, "dx12"),
    (GpuApi::Wgpu, "wgpu"),
];

impl DeviceId {
    /// The name without the index.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::NdArray => "ndarray",
            Self::Gpu { api, .. } => name_of(&APIS, api),
        }
    }

    /// The cargo feature that its backend is built with.
    pub fn feature(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::NdArray => "ndarray",
            Self::Gpu { api: GpuApi::Cuda, .. } => "cuda",
            Self::Gpu { .. } => "gpu",
        }
    }

    /// Whether it is the processor, whose memory is that of the process.
    pub(crate) fn is_processor(self) -> bool {
        matches!(self, Self::Cpu | Self::NdArray)
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Cpu | Self::NdArray => 0,
            Self::Gpu { index, .. } => index,
        }
    }
}

impl From<DeviceId> for DeviceChoice {
    fn from(device: DeviceId) -> Self {
        Self::Named(device)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index() {
            0 => f.pad(self.name()),
            index => f.pad(&format!("{}:{index}", self.name())),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Named(id) => id.fmt(f),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let unknown = || UnknownName {
            name: text.to_owned(),
            known:
                "auto, cpu, ndarray, wgpu, vulkan, metal, dx12, cuda, with an index as in `cuda:1`"
                    .to_owned(),
        };
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => (name, Some(index.parse().map_err(|_| unknown())?)),
            None => (text, None),
        };
        let first = index.unwrap_or(0);
        Ok(Self::Named(match name {
            "auto" if index.is_none() => return Ok(Self::Auto),
            "cpu" if first == 0 => DeviceId::Cpu,
            "ndarray" if first == 0 => DeviceId::NdArray,
            _ => {
                let api = named(&APIS, name).map_err(|_| unknown())?;
                DeviceId::Gpu { api, index: first }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["auto", "cpu", "ndarray", "wgpu", "vulkan:2", "metal", "dx12:1", "cuda:3"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        assert_eq!("cuda:0".parse::<DeviceChoice>().unwrap().to_string(), "cuda");
        for name in ["", "gpu", "cuda:", "cuda:x", "cpu:1", "auto:0", "CPU", "vulkan:-1"] {
            let error = name.parse::<DeviceChoice>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
    }
}
