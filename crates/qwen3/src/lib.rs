//! The Qwen3 network: packed token ids in, hidden states out.
//!
//! Start with [`model`]: the whole network is that one file. It is generic
//! over Burn's backend and names none; how each operation is computed is the
//! affair of `qwen3-kernels`, and which backend runs is the choice of
//! `qwen3-engine`.
//!
//! This crate knows nothing of text, tokenizers, threads or devices by name.

pub mod batch;
pub mod config;
pub mod device;
pub mod dtype;
pub mod error;
pub mod files;
pub mod head;
pub mod index;
mod load;
pub mod model;
mod names;
pub mod network;
pub mod random;
pub mod rope;
pub mod stages;
mod storage;
pub mod tensor_file;
pub mod weights;

pub use batch::PackedBatch;
pub use config::Config;
pub use device::{DeviceInfo, DeviceKind};
pub use error::{Cause, Error};
pub use head::ScoreHead;
pub use load::{OnTensor, Tensors};
pub use model::{Qwen3, Rows};
pub use network::{Factors, Network, OpenDevice, open_device, whole};
pub use qwen3_dtypes::{Dtype, Layout};
pub use qwen3_kernels::MatmulStrategy;
pub use stages::{Recorded, Stage, Step};
pub use storage::Storage;
pub use tensor_file::TensorFile;
pub use weights::Weights;
