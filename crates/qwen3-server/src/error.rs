//! What a client can be told. Each dialect says it in its own words.

use crate::scheduler::{ComputeError, SubmitError};
use qwen3_engine::{Error as EngineError, TextError};
use std::time::Duration;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No key, or one that isn't known.
    #[error("a valid API key is needed; send it as `Authorization: Bearer KEY`")]
    Unauthorized,
    /// No such route.
    #[error("there is no such route; `/docs` lists them")]
    NoRoute,
    /// A route, but not this method.
    #[error("this route takes another method; `/docs` lists them")]
    NoMethod,
    /// A body that is compressed.
    #[error(
        "the body is compressed (`Content-Encoding: {encoding}`); send it as it is, without this header"
    )]
    Compressed { encoding: String },
    /// No body.
    #[error("the body is empty; send a JSON object")]
    NoBody,
    /// A body with bytes that are no text.
    #[error("the body is not UTF-8: its byte {at} begins no character; send JSON as UTF-8")]
    NotUtf8 { at: usize },
    /// A body in the wrong form of Unicode.
    #[error("the body is {found}; send JSON as UTF-8")]
    OtherUnicode { found: &'static str },
    /// A body that is no JSON.
    #[error("the body is not JSON: {reason}")]
    Syntax { reason: serde_json::Error },
    /// A field that is missing or wrong.
    #[error("`{path}` {reason}")]
    Field {
        path: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// A body that is too large.
    #[error(
        "the body has more than {limit} bytes; send fewer texts at a time, or start the server with a larger \
         `--payload-limit`"
    )]
    Payload { limit: usize },
    /// A body of very many, very small things.
    #[error(
        "the body has more than {max} values; send fewer at a time, or start the server with a larger \
         `--payload-limit`, which allows one for each 8 bytes"
    )]
    Values { max: usize },
    /// An answer that would be too large.
    #[error(
        "the answer would have {bytes} bytes or more, beyond {max}; send fewer or shorter texts, or start the server \
         with a larger `--answer-limit`"
    )]
    Answer {
        /// Its bytes before it is JSON, as far as they were counted.
        bytes: usize,
        max: usize,
    },
    /// A prompt whose end is tokenized again with each text.
    #[error(
        "the prompt's last word alone has more than {max} bytes for all texts together; end the prompt with a line \
         break, send fewer texts, or start the server with a larger `--payload-limit`"
    )]
    Repeated { max: usize },
    /// A body that doesn't come.
    #[error("the body did not arrive in time")]
    SlowBody,
    /// A field without anything in it.
    #[error("`{field}` cannot be empty")]
    Empty { field: String },
    /// Too many texts.
    #[error(
        "batch size {found} > maximum allowed batch size {max}; send fewer texts at a time, or start the server with \
         a larger `--max-client-batch-size`"
    )]
    BatchSize { found: usize, max: usize },
    /// A text that is too long, and must not be cut.
    #[error("input {input} must have less than {max_tokens} tokens. Given: {found}")]
    TooLong { input: usize, max_tokens: usize, found: usize },
    /// A field with a value that can't be used.
    #[error("`{field}` {reason}")]
    Invalid {
        field: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// A text or prompt that the tokenizer refuses.
    #[error("input {input}: {reason}")]
    Text { input: usize, reason: TextError },
    /// The prompt can't be used.
    #[error("{reason}")]
    Prompt { reason: TextError },
    /// The server has no model of this kind.
    #[error("{message}")]
    WrongModel { message: &'static str },
    /// Too many requests at the same time.
    #[error("model is overloaded; {max} requests are being answered, try again in 1 s")]
    Busy { max: usize },
    /// Too large bodies at the same time.
    #[error(
        "model is overloaded; bodies of {max} bytes are being answered (`--max-concurrent-bytes`), try again in 1 s"
    )]
    BusyBytes { max: usize },
    /// The scheduler took none of it.
    #[error("{reason}")]
    NotQueued { reason: SubmitError },
    /// A text could not be computed.
    #[error("input {input}: {reason}")]
    NotComputed { input: usize, reason: ComputeError },
    /// It took too long.
    #[error("the request took longer than {} s; send fewer texts, or allow more time", .allowed.as_secs_f64())]
    Deadline { allowed: Duration },
    /// A bug.
    #[error("internal error")]
    Internal,
}

impl Error {
    /// An input that the tokenizer refuses.
    pub fn text(input: usize, reason: TextError) -> Self {
        match reason {
            TextError::TooLong { found, max_tokens } => Self::TooLong { input, max_tokens, found },
            reason => Self::Text { input, reason },
        }
    }

    /// An option that the engine refuses before it computes anything.
    pub fn option(error: &EngineError) -> Self {
        match error {
            EngineError::Dimensions { asked: 0, .. } => {
                Self::Invalid { field: "dimensions", reason: "should be positive".to_owned() }
            }
            EngineError::Dimensions { max, .. } => Self::Invalid {
                field: "dimensions",
                reason: format!(
                    "should be smaller than the maximum embedding dimension. The model has {max}"
                ),
            },
            _ => Self::Internal,
        }
    }
}

impl From<SubmitError> for Error {
    fn from(reason: SubmitError) -> Self {
        Self::NotQueued { reason }
    }
}
