//! The norm of each head, and its rotary position embedding in split halves.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
pub mod reference;
