//! What a run tells while it goes on.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Something that has happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Rows of a file are tokens.
    Read {
        /// The file.
        path: &'a Path,
        /// Rows so far.
        rows: usize,
    },
    /// The first step comes next, or the first one after a checkpoint.
    Begin {
        /// Steps that are done already.
        done: u64,
        /// Steps in all.
        steps: u64,
        /// Tokens on the device at one time.
        micro_batch_tokens: usize,
    },
    /// A step is done, or held-out data was measured.
    Step {
        /// What is in the log.
        record: &'a Record,
        /// Steps in all.
        steps: u64,
    },
    /// A checkpoint is written.
    Checkpoint {
        /// Steps that are in it.
        step: u64,
    },
    /// The measure of held-out data got no better for long enough.
    StoppedEarly {
        /// The step whose weights are kept.
        best_step: u64,
    },
}

/// What hears of it.
pub type OnEvent<'a> = &'a (dyn Fn(&Event) + Sync);

/// A line of `log.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Record {
    /// Steps that are done.
    pub step: u64,
    /// Passes over the data that are done.
    pub epoch: f64,
    /// The loss of the step's examples before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// The gradient's norm before it was clipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_norm: Option<f64>,
    /// The learning rate of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Tokens of the step by its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// Measures of held-out data, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub held_out: BTreeMap<String, f64>,
}
