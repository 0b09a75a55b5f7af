//! What a backend crate tells of a device before it is opened.

use qwen3_dtypes::Dtype;
use std::fmt;

/// A device as its driver describes it.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// The hardware's name.
    pub name: String,
    /// What sort of hardware it is.
    pub kind: DeviceKind,
    /// Interface and driver, where there are any.
    pub driver: Option<String>,
    /// Its memory, where the driver tells it.
    pub memory_bytes: Option<u64>,
    /// Dtypes that weights can be held in.
    pub dtypes: Vec<Dtype>,
    /// The largest tensor that a kernel can be given; in a larger one drivers
    /// compute wrong without an error.
    pub max_tensor_bytes: u64,
}

/// What sort of hardware a device is; those that compute faster come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DeviceKind {
    /// A graphics card.
    DiscreteGpu,
    /// A GPU that shares the processor's memory.
    IntegratedGpu,
    /// A GPU that is lent by a hypervisor.
    VirtualGpu,
    /// A GPU whose driver doesn't say which.
    OtherGpu,
    /// The processor itself.
    Processor,
    /// A GPU's driver that computes on the processor, such as lavapipe.
    Software,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::DiscreteGpu => "discrete GPU",
            Self::IntegratedGpu => "integrated GPU",
            Self::VirtualGpu => "virtual GPU",
            Self::OtherGpu => "GPU",
            Self::Processor => "processor",
            Self::Software => "software",
        })
    }
}
