//! Devices: their names, what there is on this machine, and the choice of one.

use crate::backend;
use crate::error::Error;
use crate::options::UnknownName;
use crate::self_check::{self, Extent};
use qwen3::{Dtype, MatmulStrategy};
use std::fmt;
use std::str::FromStr;

/// Where a model shall run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best that works: CUDA, then Vulkan or Metal, then other GPU
    /// interfaces, then the CPU. A GPU is checked against the CPU on small
    /// networks before it is trusted.
    #[default]
    Auto,
    /// This one. Of a GPU the matrix products are checked, since they choose how
    /// it multiplies.
    Named(DeviceId),
}

/// A device by its name on the command line: `cpu`, `vulkan`, `cuda:1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceId {
    /// The processor, with Burn Flex.
    Cpu,
    /// The processor, with Burn ndarray: float32 only, slower.
    NdArray,
    /// A GPU behind any interface that wgpu knows, kernels in WGSL.
    Wgpu(usize),
    /// A GPU behind Vulkan, kernels in SPIR-V.
    Vulkan(usize),
    /// A GPU behind Metal.
    Metal(usize),
    /// A GPU behind DirectX 12.
    Dx12(usize),
    /// An NVIDIA GPU behind CUDA.
    Cuda(usize),
}

/// A device as `qwen3 devices` lists it.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// What to ask for it by.
    pub id: DeviceId,
    /// The hardware's name.
    pub name: String,
    /// `processor`, `discrete GPU`, …
    pub kind: String,
    /// Driver and interface, where there are any.
    pub driver: Option<String>,
    /// Its memory, where known.
    pub memory_bytes: Option<u64>,
    /// Dtypes that weights can be held in.
    pub dtypes: Vec<Dtype>,
}

/// A backend of this build that has no device here.
#[derive(Clone, Debug)]
pub struct Absent {
    /// Its name on the command line.
    pub name: &'static str,
    /// Why there is none.
    pub reason: String,
}

/// What was tried and passed over: a device, by `auto`, or a way to multiply on
/// the device that is used.
#[derive(Clone, Debug)]
pub struct Fallback {
    /// The device.
    pub device: DeviceId,
    /// The way to multiply; `None`: the device.
    pub strategy: Option<MatmulStrategy>,
    /// Why it was passed over.
    pub reason: String,
}

/// As in "not on …".
impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, strategy, reason } = self;
        match strategy {
            Some(strategy) => write!(f, "`{device}` with {strategy}: {reason}"),
            None => write!(f, "`{device}`: {reason}"),
        }
    }
}

/// Every device of every backend of this build, and the backends without one.
pub fn devices() -> (Vec<DeviceInfo>, Vec<Absent>) {
    backend::list()
}

/// The device to use and, for `auto`, what was tried before it; `dtype_on` says
/// in which dtype it will be used.
pub(crate) fn choose(
    choice: DeviceChoice,
    dtype_on: &dyn Fn(DeviceId) -> Result<Dtype, Error>,
) -> Result<(DeviceId, Vec<Fallback>), Error> {
    match choice {
        DeviceChoice::Named(id) => Ok((id, vec![])),
        DeviceChoice::Auto => first_trusted(devices(), &|id| {
            self_check::strategy(id, dtype_on(id)?, Extent::Networks).map(drop)
        }),
    }
}

/// The best of the devices that were found which passes `check`.
pub(crate) fn first_trusted(
    (mut found, absent): (Vec<DeviceInfo>, Vec<Absent>),
    check: &dyn Fn(DeviceId) -> Result<(), Error>,
) -> Result<(DeviceId, Vec<Fallback>), Error> {
    found.sort_by_key(|device| rank(device.id));
    let mut passed_over = vec![];
    for device in found {
        let reason = match device.id {
            DeviceId::Cpu | DeviceId::NdArray => return Ok((device.id, passed_over)),
            _ if device.kind == backend::SOFTWARE => {
                "it computes on the processor, where `cpu` is faster".to_owned()
            }
            id => match check(id) {
                Ok(()) => return Ok((id, passed_over)),
                Err(Error::DeviceUnavailable { reason, .. }) => reason,
                Err(error) => error.to_string(),
            },
        };
        tracing::warn!(device = %device.id, reason, "auto passes over a device");
        passed_over.push(Fallback { device: device.id, strategy: None, reason });
    }
    let mut reasons: Vec<String> =
        passed_over.iter().map(|tried| format!("{}: {}", tried.device, tried.reason)).collect();
    reasons.extend(absent.iter().map(|absent| format!("{}: {}", absent.name, absent.reason)));
    Err(Error::NoDevice { reasons: reasons.join("; ") })
}

/// Lower is tried first.
fn rank(id: DeviceId) -> usize {
    match id {
        DeviceId::Cuda(_) => 0,
        DeviceId::Metal(_) => 1,
        DeviceId::Vulkan(_) => 2,
        DeviceId::Dx12(_) => 3,
        DeviceId::Wgpu(_) => 4,
        DeviceId::Cpu => 5,
        DeviceId::NdArray => 6,
    }
}

impl DeviceId {
    /// The name without the index.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::NdArray => "ndarray",
            Self::Wgpu(_) => "wgpu",
            Self::Vulkan(_) => "vulkan",
            Self::Metal(_) => "metal",
            Self::Dx12(_) => "dx12",
            Self::Cuda(_) => "cuda",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Cpu | Self::NdArray => 0,
            Self::Wgpu(index)
            | Self::Vulkan(index)
            | Self::Metal(index)
            | Self::Dx12(index)
            | Self::Cuda(index) => index,
        }
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
            "wgpu" => DeviceId::Wgpu(first),
            "vulkan" => DeviceId::Vulkan(first),
            "metal" => DeviceId::Metal(first),
            "dx12" => DeviceId::Dx12(first),
            "cuda" => DeviceId::Cuda(first),
            _ => return Err(unknown()),
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
