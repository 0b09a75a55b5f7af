//! Rotary position embedding, split halves.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
pub mod reference;
