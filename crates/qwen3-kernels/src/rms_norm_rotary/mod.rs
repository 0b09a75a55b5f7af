//! The norm of each head, and its rotary position embedding in split halves.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
#[cfg(feature = "cube")]
pub(crate) mod cube;
pub mod reference;
