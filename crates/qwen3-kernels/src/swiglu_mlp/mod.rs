//! The feed-forward network.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
pub mod reference;
