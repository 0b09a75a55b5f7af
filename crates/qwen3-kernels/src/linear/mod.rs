//! `x · weightᵀ` with weights in the checkpoint's own precision.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
#[cfg(all(feature = "cpu", feature = "autodiff"))]
pub(crate) mod cpu_gradient;
#[cfg(feature = "autodiff")]
pub mod gradient;
pub mod reference;
pub(crate) mod strategy;
