//! The norm of each head, and its rotary position embedding in split halves.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
pub mod reference;
