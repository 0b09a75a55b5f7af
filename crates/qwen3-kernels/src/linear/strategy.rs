//! The ways to compute a product, where a device has more than one.

use std::fmt;

/// How a device multiplies matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatmulStrategy {
    /// With the tensor cores of an NVIDIA GPU, in kernels written for them in CUDA C++.
    CudaTensorCores,
    /// With tensor cores, which multiply small tiles of 16-bit numbers at once.
    TensorCores,
    /// With the units that compute everything else.
    PlainUnits,
}

impl fmt::Display for MatmulStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CudaTensorCores => "CUDA tensor cores",
            Self::TensorCores => "tensor cores",
            Self::PlainUnits => "plain units",
        })
    }
}

/// A device doesn't take a product that is to be computed in one way.
#[derive(Debug, thiserror::Error)]
#[error("its {strategy} don't take a product: {message}")]
pub struct LaunchError {
    /// How it was to be computed.
    pub strategy: MatmulStrategy,
    /// Why not.
    pub message: String,
}
