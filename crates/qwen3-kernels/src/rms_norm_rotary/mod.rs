//! The norm of each head, and its rotary position embedding in split halves.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
#[cfg(all(feature = "cpu", feature = "autodiff"))]
pub(crate) mod cpu_gradient;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
pub mod reference;
