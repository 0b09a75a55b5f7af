//! The feed-forward network.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
#[cfg(feature = "autodiff")]
pub mod gradient;
pub mod reference;
