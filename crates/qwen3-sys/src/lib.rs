//! Safe faces of what needs `unsafe` and is no arithmetic: files that are mapped
//! into memory, and questions to drivers of GPUs.
//!
//! Arithmetic with `unsafe` is in `qwen3-kernels`; no other crate has any.

pub mod mapped_file;

#[cfg(feature = "cuda-driver")]
pub mod cuda_driver;
#[cfg(all(feature = "vulkan-memory", not(target_vendor = "apple")))]
pub mod vulkan_memory;

pub use mapped_file::MappedFile;
