//! Qwen3 compiled for the CPU with Burn ndarray: float32 only, every
//! operation the plain reference. For comparison and for odd platforms.
//!
//! Only instantiates; nothing is computed here.

use burn_ndarray::{NdArray, NdArrayDevice};
use qwen3::{Dtype, OpenDevice};

/// Dtypes that weights can be held in.
pub const DTYPES: [Dtype; 1] = [Dtype::F32];

/// The processor.
pub fn open() -> Box<dyn OpenDevice> {
    qwen3::open_device::<NdArray<f32, i32, i8>>(NdArrayDevice::Cpu)
}

/// The processor, to train on.
#[cfg(feature = "train")]
pub fn open_training() -> Box<dyn qwen3_autodiff::OpenTraining> {
    qwen3_autodiff::open_training::<NdArray<f32, i32, i8>>(NdArrayDevice::Cpu)
}
