//! A model as the server has it: a half on the host, and one on the devices.

use crate::scheduler::Scheduler;
use qwen3_engine::Dtype;
use std::sync::Arc;

/// One model, in its two halves.
pub struct Model<T> {
    /// What clients see as its name.
    pub name: String,
    /// What it was loaded from, to show.
    pub about: About,
    /// Its half on the host.
    pub host: Arc<T>,
    /// Its half on the devices.
    pub scheduler: Scheduler,
}

/// What a model was loaded from.
#[derive(Clone, Debug)]
pub struct About {
    /// Hub id or path.
    pub model_id: String,
    /// Branch, tag or commit on the hub.
    pub revision: Option<String>,
    /// Whether it is one GGUF file.
    pub is_gguf: bool,
    /// How most of its weights are stored.
    pub stored_dtype: Dtype,
    /// Device and precision of the weights, of each replica.
    pub dtype: String,
    /// Tokens of a batch.
    pub max_batch_tokens: usize,
    /// Texts of a batch.
    pub max_batch_requests: Option<usize>,
}
