//! Root mean square layer normalisation.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
pub mod reference;
