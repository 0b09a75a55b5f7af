//! What the kernels for the CPU share.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
pub(crate) mod blocks;
pub mod buffers;
pub(crate) mod destination;
pub(crate) mod gemm;
pub mod isa;
pub(crate) mod matrix;
pub(crate) mod softmax;
#[cfg(feature = "autodiff")]
pub(crate) mod transposed;
pub(crate) mod vectorized;
