//! What this project's own proofs and checks need beyond the API. It may change in
//! any version.

pub use crate::device::limit_cpu_isa;
pub use crate::device::self_check::{min_cosine, speed};
pub use crate::device::system::{peak_memory_bytes, processor_name};
pub use crate::files::called;
pub use qwen3::{Recorded, Stage, Step};

/// Networks of random weights; see [`qwen3::random`].
pub mod random {
    pub use qwen3::random::{EOS_TOKEN_ID, config, write_weights};
}

/// Training, for the crate above that makes a command of it.
#[cfg(feature = "train")]
pub mod training {
    pub use crate::files::training::*;
    pub use crate::run::{Failure, Training, TrainingDevice, plan_batches};
    pub use qwen3::head::{HEADS, YES_NO};
    pub use qwen3::{PackedBatch, TensorFile, Weights, weights::Stored};
    pub use qwen3_autodiff::{
        AdamW, Contrastive, Distillation, Error, Head, Method, NamedTensor, Objective, Projection,
        Step, StepSettings, UnknownProjection,
    };
}
