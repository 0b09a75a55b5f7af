//! Root mean square layer normalisation.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
#[cfg(feature = "autodiff")]
pub mod gradient;
pub mod reference;
