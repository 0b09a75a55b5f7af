//! Training with tensors: the one network of the `qwen3` crate under Burn's
//! automatic differentiation, losses, low-rank adapters, and AdamW.
//!
//! Packed batches of token ids and plain numbers go in, losses and named
//! tensors come out, through [`Trainer`]. A backend crate makes the boxes, as for
//! [`qwen3::Network`]. This crate knows no text and no file but a checkpoint's tensors.
//!
//! One step, in [`trainer`]:
//!
//! ```text
//!   packed batches ── forward, nothing kept ──▶ rows [N, C]
//!   rows ── objective ──▶ loss, and its gradient with respect to each row
//!   packed batch ── forward, backward from its rows' gradients ──▶ gradients of the weights, summed
//!   gradients ── clipped, AdamW ──▶ weights
//! ```
//!
//! So the loss compares all rows of the step, however few fit the device at a time
//! (GradCache, Gao et al. 2021, arXiv:2101.06983). A step of one batch goes forward once.

mod effective;
pub mod error;
mod head;
mod init;
mod loading;
mod model;
pub mod objective;
mod parameters;
pub mod plan;
pub mod trainer;

pub use error::Error;
pub use objective::{Contrastive, Distillation, Objective};
pub use plan::{Head, Method, Plan, Projection, UnknownProjection};
pub use qwen3_kernels::AdamW;
pub use trainer::{NamedTensor, OpenTraining, Step, StepSettings, Trainer, open_training};
