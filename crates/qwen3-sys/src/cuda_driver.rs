//! Asks for CUDA without risk: CubeCL panics where a driver, the run-time
//! compiler or its headers are missing.

use cudarc::driver::{result, sys};
use std::path::Path;

/// An NVIDIA GPU.
#[derive(Clone, Debug)]
pub struct CudaGpu {
    /// Its name.
    pub name: String,
    /// Its memory.
    pub memory_bytes: u64,
    /// The CUDA version that its driver was made for, such as `13.0`.
    pub driver: String,
}

/// Why CUDA can't be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
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
    /// A library from before a function that kernels need.
    #[error(
        "`{library}` is too old, it has no `{function}`; update the NVIDIA driver or the CUDA toolkit, or use device `vulkan`"
    )]
    TooOld { library: &'static str, function: &'static str },
    /// The driver answers with an error.
    #[error("the NVIDIA driver failed: {message}")]
    Driver { message: String },
    /// Fewer GPUs than the index asks for.
    #[error("there is no CUDA device {index} here, {found} found; `qwen3 devices` lists them")]
    NotFound { index: usize, found: usize },
}

/// What is called of the driver, here and by CubeCL. The binding panics at the
/// call of a function that isn't there.
const DRIVER: [&str; 32] = [
    "cuInit",
    "cuDriverGetVersion",
    "cuDeviceGetCount",
    "cuDeviceGet",
    "cuDeviceGetName",
    "cuDeviceGetAttribute",
    "cuDeviceTotalMem_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxGetCurrent",
    "cuCtxSetCurrent",
    "cuStreamCreate",
    "cuStreamSynchronize",
    "cuStreamWaitEvent",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuMemGetInfo_v2",
    "cuMemAlloc_v2",
    "cuMemAllocAsync",
    "cuMemAllocHost_v2",
    "cuMemFree_v2",
    "cuMemFreeAsync",
    "cuMemFreeHost",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuModuleLoadData",
    "cuModuleGetFunction",
    "cuFuncSetAttribute",
    "cuLaunchKernel",
    "cuTensorMapEncodeTiled",
];
/// The same of the run-time compiler.
const COMPILER: [&str; 7] = [
    "nvrtcCreateProgram",
    "nvrtcDestroyProgram",
    "nvrtcCompileProgram",
    "nvrtcGetPTXSize",
    "nvrtcGetPTX",
    "nvrtcGetProgramLogSize",
    "nvrtcGetProgramLog",
];

/// The GPUs that CUDA kernels can run on; `toolkit` is where the CUDA toolkit was found.
///
/// # Errors
/// If anything is missing that they need.
pub fn gpus(toolkit: Option<&Path>) -> Result<Vec<CudaGpu>, Unavailable> {
    all_there()?;
    if !toolkit.is_some_and(|toolkit| toolkit.join("include/cuda_runtime.h").exists()) {
        return Err(Unavailable::NoHeaders);
    }
    result::init().map_err(failed)?;
    let count = result::device::get_count().map_err(failed)?;
    (0..count).map(gpu).collect()
}

fn all_there() -> Result<(), Unavailable> {
    // Safety: both only try to open a shared library, whose initialisers are NVIDIA's.
    let (driver, compiler) =
        unsafe { (sys::is_culib_present(), cudarc::nvrtc::sys::is_culib_present()) };
    if !driver {
        return Err(Unavailable::NoDriver);
    }
    if !compiler {
        return Err(Unavailable::NoCompiler);
    }
    // Safety: both libraries were found, and a function is looked up, not called.
    let in_driver = |name: &&str| unsafe { sys::culib().get::<*const ()>(name.as_bytes()) }.is_ok();
    let in_compiler = |name: &&str| {
        unsafe { cudarc::nvrtc::sys::culib().get::<*const ()>(name.as_bytes()) }.is_ok()
    };
    let lacks = |library, function| Err(Unavailable::TooOld { library, function });
    if let Some(function) = DRIVER.into_iter().find(|name| !in_driver(name)) {
        return lacks("libcuda", function);
    }
    match COMPILER.into_iter().find(|name| !in_compiler(name)) {
        Some(function) => lacks("libnvrtc", function),
        None => Ok(()),
    }
}

fn gpu(ordinal: i32) -> Result<CudaGpu, Unavailable> {
    let device = result::device::get(ordinal).map_err(failed)?;
    // Safety: `device` was given by the driver just now.
    let memory = unsafe { result::device::total_mem(device) }.map_err(failed)?;
    let name = result::device::get_name(device).map_err(failed)?;
    let mut version = 0;
    // Safety: the driver writes a number to the place that it is given.
    unsafe { sys::cuDriverGetVersion(&mut version) }.result().map_err(failed)?;
    let driver = format!("{}.{}", version / 1000, version % 1000 / 10);
    Ok(CudaGpu { name, memory_bytes: memory as u64, driver })
}

/// Bytes of memory that nobody has, on the GPU of this index in [`gpus`]; `None` if its driver
/// doesn't say.
pub fn free_bytes(ordinal: usize) -> Option<u64> {
    all_there().ok()?;
    let device = result::device::get(i32::try_from(ordinal).ok()?).ok()?;
    let before = result::ctx::get_current().ok()?.unwrap_or(std::ptr::null_mut());
    // Safety: the driver gave `device` just now. Its context is current to this thread until it
    // is given back, and then the one that was.
    unsafe {
        let context = result::primary_ctx::retain(device).ok()?;
        let is_current = result::ctx::set_current(context).is_ok();
        let memory = is_current.then(result::mem_get_info);
        let restored = result::ctx::set_current(before);
        result::primary_ctx::release(device).ok()?;
        restored.ok()?;
        memory?.ok().map(|(free, _)| free as u64)
    }
}

fn failed(error: impl std::fmt::Debug) -> Unavailable {
    Unavailable::Driver { message: format!("{error:?}") }
}
