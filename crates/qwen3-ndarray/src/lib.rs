//! Qwen3 compiled for the CPU with Burn ndarray: float32 only, every
//! operation the plain reference. For comparison and for odd platforms.
//!
//! Only instantiates; nothing is computed here.

use burn_ndarray::{NdArray, NdArrayDevice};

qwen3::compile_for!(NdArray<f32, i32, i8>, Device);

/// The processor.
pub type Device = NdArrayDevice;

/// Dtypes that weights can be held in.
pub const DTYPES: [qwen3::Dtype; 1] = [qwen3::Dtype::F32];
