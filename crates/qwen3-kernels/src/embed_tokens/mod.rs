//! The rows of a table that tokens stand for.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
pub mod reference;
