//! Qwen3 compiled for the CPU with Burn Flex: every dtype, all cores.
//!
//! Only instantiates; nothing is computed here.

use burn_flex::{Flex, FlexDevice};
use qwen3::{Dtype, OpenDevice};
pub use qwen3_kernels::isa::{Isa, UnknownIsa};

/// Dtypes that weights can be held in.
pub const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::Bf16, Dtype::F16];

/// The processor.
pub fn open() -> Box<dyn OpenDevice> {
    qwen3::open_device::<Flex>(FlexDevice)
}

/// The processor, to train on.
#[cfg(feature = "train")]
pub fn open_training() -> Box<dyn qwen3_autodiff::OpenTraining> {
    qwen3_autodiff::open_training::<Flex>(FlexDevice)
}
