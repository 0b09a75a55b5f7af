//! Asks for CUDA without risk: CubeCL panics where a driver, the run-time
//! compiler or its headers are missing.

use cudarc::driver::{result, sys};

/// An NVIDIA GPU.
#[derive(Clone, Debug)]
pub struct CudaGpu {
    /// Its name.
    pub name: String,
    /// Its memory.
    pub memory_bytes: u64,
}

/// Why CUDA can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// No `libcuda`.
    #[error("no NVIDIA driver (libcuda) found; install it, or use device `vulkan`")]
    NoDriver,
    /// No `libnvrtc`.
    #[error(
        "CUDA's run-time compiler (libnvrtc) is not installed; install the CUDA toolkit, or use device `vulkan`"
    )]
    NoCompiler,
    /// No `cuda_runtime.h`.
    #[error(
        "CUDA's headers (include/cuda_runtime.h) are neither in $CUDA_PATH nor in /usr/local/cuda or /opt/cuda; install the CUDA toolkit, or use device `vulkan`"
    )]
    NoHeaders,
    /// The driver answers with an error.
    #[error("the NVIDIA driver failed: {message}")]
    Driver {
        /// What it said.
        message: String,
    },
    /// Fewer GPUs than the index asks for.
    #[error("there is no CUDA device {index} here, {found} found; `qwen3 devices` lists them")]
    NotFound {
        /// What was asked for.
        index: usize,
        /// How many there are.
        found: usize,
    },
}

/// The GPUs that CUDA kernels can run on.
///
/// # Errors
/// If anything is missing that they need.
pub fn gpus() -> Result<Vec<CudaGpu>, Unavailable> {
    // Safety: both only try to open a shared library, whose initialisers are NVIDIA's.
    let (driver, compiler) =
        unsafe { (sys::is_culib_present(), cudarc::nvrtc::sys::is_culib_present()) };
    if !driver {
        return Err(Unavailable::NoDriver);
    }
    if !compiler {
        return Err(Unavailable::NoCompiler);
    }
    let toolkit = cubecl::cuda::install::cuda_path();
    if !toolkit.is_some_and(|toolkit| toolkit.join("include/cuda_runtime.h").exists()) {
        return Err(Unavailable::NoHeaders);
    }
    result::init().map_err(failed)?;
    let count = result::device::get_count().map_err(failed)?;
    (0..count).map(gpu).collect()
}

fn gpu(ordinal: i32) -> Result<CudaGpu, Unavailable> {
    let device = result::device::get(ordinal).map_err(failed)?;
    // Safety: `device` was given by the driver just now.
    let memory = unsafe { result::device::total_mem(device) }.map_err(failed)?;
    let name = result::device::get_name(device).map_err(failed)?;
    Ok(CudaGpu { name, memory_bytes: memory as u64 })
}

fn failed(error: impl std::fmt::Debug) -> Unavailable {
    Unavailable::Driver { message: format!("{error:?}") }
}
