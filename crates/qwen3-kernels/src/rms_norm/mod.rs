//! Root mean square layer normalisation.

#[cfg(feature = "cpu")]
pub(crate) mod cpu;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
#[cfg(all(feature = "cpu", feature = "autodiff"))]
pub(crate) mod cpu_gradient;
#[cfg(feature = "autodiff")]
pub mod gradient;
pub mod reference;

use crate::Kernels;
use burn::tensor::{Tensor, backend::Backend};

/// Root mean square norm over the last dimension.
#[derive(Clone, Debug)]
pub struct RmsNorm<B: Backend> {
    /// `[C]`, float32.
    pub weight: Tensor<B, 1>,
    /// `rms_norm_eps`
    pub epsilon: f64,
}

impl<B: Kernels> RmsNorm<B> {
    /// [`Kernels::rms_norm`]
    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        B::rms_norm(x, self.weight.clone(), self.epsilon)
    }

    /// [`Kernels::rms_norm_rotary`]
    pub fn rotary(&self, x: Tensor<B, 3>, cos: Tensor<B, 2>, sin: Tensor<B, 2>) -> Tensor<B, 3> {
        B::rms_norm_rotary(x, self.weight.clone(), self.epsilon, cos, sin)
    }
}
