//! `x · weightᵀ` with weights in the checkpoint's own precision.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
#[cfg(feature = "autodiff")]
pub mod gradient;
pub mod reference;
pub(crate) mod strategy;
