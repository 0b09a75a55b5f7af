//! Where a model runs: the devices there are, and the choice of one.

mod auto;
mod backends;
mod cgroup;
pub mod id;
mod opened;
pub mod self_check;
pub mod system;

pub use auto::Fallback;
pub(crate) use auto::choose;
#[cfg(feature = "train")]
pub(crate) use backends::open_training;
pub use backends::{keep_kernels_in, limit_cpu_isa};
pub use id::{DeviceChoice, DeviceId, GpuApi};
#[cfg(feature = "train")]
pub(crate) use opened::guarded;
pub(crate) use opened::{Loaded, Opened};

use qwen3::{DeviceInfo, DeviceKind, Dtype};

/// A device of this machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Device {
    /// What to ask for it by.
    pub id: DeviceId,
    /// The hardware's name.
    pub name: String,
    /// What sort of hardware it is.
    pub kind: DeviceKind,
    /// Interface and driver, where there are any.
    pub driver: Option<String>,
    /// Its memory, where known.
    pub memory_bytes: Option<u64>,
    /// Dtypes that weights can be held in.
    pub dtypes: Vec<Dtype>,
    /// The largest tensor that it can be given.
    pub max_tensor_bytes: u64,
}

/// What this program can run on here.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Devices {
    /// Every device of every backend of this build.
    pub found: Vec<Device>,
    /// The backends without a device, and those that were left out of the build.
    pub absent: Vec<Absent>,
}

/// A backend that has no device here.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Absent {
    /// The name that its devices would have.
    pub name: &'static str,
    /// Why there is none.
    pub reason: String,
}

/// The devices of this machine.
pub fn devices() -> Devices {
    backends::list()
}

impl Device {
    fn new(id: DeviceId, info: DeviceInfo) -> Self {
        let DeviceInfo { name, kind, driver, memory_bytes, dtypes, max_tensor_bytes } = info;
        Self { id, name, kind, driver, memory_bytes, dtypes, max_tensor_bytes }
    }
}
