//! Qwen3 compiled for the CPU with Burn Flex: every dtype, all cores.
//!
//! Only instantiates; nothing is computed here.

use burn_flex::{Flex, FlexDevice};

qwen3::compile_for!(Flex, Device);

/// The processor.
pub type Device = FlexDevice;

/// Dtypes that weights can be held in.
pub const DTYPES: [qwen3::Dtype; 3] = [qwen3::Dtype::F32, qwen3::Dtype::Bf16, qwen3::Dtype::F16];

pub use qwen3_kernels::buffers;
pub use qwen3_kernels::isa::{Isa, UnknownIsa};
