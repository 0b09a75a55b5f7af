//! Fine-tuning and distilling Qwen3 embedding models and rerankers.
//!
//! ```no_run
//! use qwen3_engine::Options;
//! use qwen3_train::{DistilData, Run, Settings};
//!
//! # fn main() -> Result<(), qwen3_train::Error> {
//! let settings = Settings { betas: [0.9, 0.98], ..Settings::new(256, 1.5e-3) };
//! let run = Run::new("models/start", "models/small", settings, Options::default());
//! let finished = run.distil(&DistilData::new("texts.jsonl", "targets.npy"), &|_| {})?;
//! println!("{} steps, {:?}", finished.steps, finished.measures);
//! # Ok(())
//! # }
//! ```
//!
//! A [`Run`] reads data, trains, and writes a folder in the layout of Hugging Face. It
//! leaves checkpoints there, so that a run that was ended goes on to the same numbers.
//! What happens meanwhile is told as [`Event`]s, and written to `log.jsonl` and `loss.svg`.
//!
//! Data flows one way: files → token ids (`data`) → examples of a step (`order`,
//! `tasks`) → loss (`qwen3-autodiff`, behind the engine) → weights → files (`output`).
//!
//! What it doesn't do: download data, make a tokenizer, or train on several devices.

mod data;
mod error;
mod order;
mod output;
mod run;
mod schedule;
mod settings;
mod tasks;

pub use data::DataFile;
pub use error::Error;
pub use output::{Merge, Merged};
pub use qwen3_engine::internals::training::{Projection, UnknownProjection};
pub use run::{Event, Finished, OnEvent, Record, Run};
pub use settings::{Length, Lora, Settings};
pub use tasks::{DistilData, LabelData, PairData};
