//! `x · weightᵀ + bias` with weights in the checkpoint's own precision.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
#[cfg(feature = "cube")]
pub(crate) mod cube;
#[cfg(feature = "cube")]
pub(crate) mod cube_rows;
pub mod reference;
#[cfg(feature = "cpu")]
pub(crate) mod product;
pub(crate) mod strategy;
