//! Why a request is not queued, a text not computed, a replica not loaded.

use super::queue::QueueLimits;
use qwen3_engine::Error as EngineError;
use std::time::Duration;

/// Why none of a request is queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too much waits.
    #[error("model is overloaded; {texts} texts wait, try again in {} s", .retry_after.as_secs())]
    Overloaded {
        texts: usize,
        /// When it may be worth it.
        retry_after: Duration,
    },
    /// More than an empty queue holds.
    #[error(
        "{texts} texts with {tokens} tokens or more are beyond the queue's {} texts and {} tokens; send them in several \
         requests, or start the server with a larger `--max-queue-texts` or `--max-queue-tokens`",
        .limits.texts, .limits.tokens
    )]
    TooLarge {
        texts: usize,
        /// Their tokens, as far as they were counted.
        tokens: usize,
        /// What the queue holds.
        limits: QueueLimits,
    },
    /// No replica works.
    #[error("the model is not available: {reason}")]
    Unavailable { reason: String },
}

/// Why a text has no rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComputeError {
    /// NaN or infinity, in float32 too.
    #[error("the model gave NaN or infinity for this text; check the model's files")]
    NonFinite,
    /// One text alone doesn't fit.
    #[error("out of memory for this text: {message}")]
    OutOfMemory { message: String },
    /// The network can't take its tokens.
    #[error("{reason}")]
    Input { reason: String },
    /// The device or its driver failed; the engine is built anew.
    #[error("the device failed: {message}")]
    Device { message: String },
    /// The server shuts down, or no replica could be loaded.
    #[error("the model is not available: {reason}")]
    Unavailable { reason: String },
}

/// Why a replica doesn't load, or is lost.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The engine says so.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It should have said so.
    #[error("the engine panicked, please report it: {message}")]
    Panic {
        /// The panic's message.
        message: String,
    },
}
