//! What a client can be told. Each dialect says it in its own words.

use crate::scheduler::{Failure, Refused};
use axum::http::StatusCode;
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
    /// A body of another type.
    #[error("the body is not marked as JSON; send `Content-Type: application/json`")]
    NotJson,
    /// A body that is no JSON.
    #[error("the body is not JSON: {reason}")]
    Syntax {
        /// Where and why.
        reason: serde_json::Error,
    },
    /// JSON of another shape.
    #[error("the body has the wrong fields: {reason}")]
    Shape {
        /// Where and why.
        reason: serde_json::Error,
    },
    /// A body that is too large.
    #[error("the body has more than {limit} bytes; send fewer texts at a time")]
    Payload {
        /// The limit.
        limit: usize,
    },
    /// A body that doesn't come.
    #[error("the body did not arrive in time")]
    SlowBody,
    /// A field without anything in it.
    #[error("`{field}` cannot be empty")]
    Empty {
        /// Its name.
        field: &'static str,
    },
    /// Too many texts.
    #[error("batch size {found} > maximum allowed batch size {max}")]
    BatchSize {
        /// Texts of the request.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// A text that is too long, and must not be cut.
    #[error("`inputs` must have less than {max_tokens} tokens. Given: {found}")]
    TooLong {
        /// The limit.
        max_tokens: usize,
        /// Its tokens.
        found: usize,
    },
    /// A field with a value that can't be used.
    #[error("`{field}` {reason}")]
    Invalid {
        /// Its name.
        field: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// A text or prompt that the tokenizer refuses.
    #[error("input {input}: {reason}")]
    Text {
        /// Its index.
        input: usize,
        /// Why.
        reason: TextError,
    },
    /// The prompt can't be used.
    #[error("{reason}")]
    Prompt {
        /// Why.
        reason: TextError,
    },
    /// The server has no model of this kind.
    #[error("{message}")]
    WrongModel {
        /// Which is missing.
        message: &'static str,
    },
    /// Too many requests at the same time.
    #[error("model is overloaded; {max} requests are being answered, try again in 1 s")]
    Busy {
        /// The limit.
        max: usize,
    },
    /// The scheduler took none of it.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: Refused,
    },
    /// A text could not be computed.
    #[error("input {input}: {reason}")]
    Failed {
        /// Its index.
        input: usize,
        /// Why.
        reason: Failure,
    },
    /// It took too long.
    #[error("the request took longer than {} s; send fewer texts, or allow more time", .allowed.as_secs_f64())]
    Deadline {
        /// What was allowed.
        allowed: Duration,
    },
    /// A bug.
    #[error("internal error")]
    Internal,
}

/// Causes that dialects tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The key.
    Authentication,
    /// The route or its method.
    Route,
    /// The body as such.
    Body,
    /// Nothing to compute.
    Empty,
    /// A field.
    Validation,
    /// A text.
    Tokenizer,
    /// Not now.
    Overloaded,
    /// The device.
    Backend,
    /// Not until the engine is back.
    Unhealthy,
    /// Ours.
    Internal,
}

impl Error {
    /// What it is about.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Unauthorized => Cause::Authentication,
            Self::NoRoute | Self::NoMethod => Cause::Route,
            Self::NotJson | Self::Syntax { .. } | Self::Payload { .. } | Self::SlowBody => {
                Cause::Body
            }
            Self::Empty { .. } => Cause::Empty,
            Self::Text { .. } | Self::Failed { reason: Failure::Input { .. }, .. } => {
                Cause::Tokenizer
            }
            Self::Shape { .. }
            | Self::BatchSize { .. }
            | Self::TooLong { .. }
            | Self::Invalid { .. }
            | Self::Prompt { .. }
            | Self::Refused { reason: Refused::TooLarge { .. } } => Cause::Validation,
            Self::Busy { .. } | Self::Refused { reason: Refused::Overloaded { .. } } => {
                Cause::Overloaded
            }
            Self::Refused { reason: Refused::Unavailable { .. } }
            | Self::Failed { reason: Failure::Unavailable { .. }, .. }
            | Self::Deadline { .. } => Cause::Unhealthy,
            Self::WrongModel { .. } | Self::Failed { .. } => Cause::Backend,
            Self::Internal => Cause::Internal,
        }
    }

    /// The status, as text-embeddings-inference has it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Payload { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Deadline { .. } => StatusCode::GATEWAY_TIMEOUT,
            _ => match self.cause() {
                Cause::Authentication => StatusCode::UNAUTHORIZED,
                Cause::Route => StatusCode::NOT_FOUND,
                Cause::Body | Cause::Empty => StatusCode::BAD_REQUEST,
                Cause::Validation | Cause::Tokenizer => StatusCode::UNPROCESSABLE_ENTITY,
                Cause::Overloaded => StatusCode::TOO_MANY_REQUESTS,
                Cause::Backend => StatusCode::FAILED_DEPENDENCY,
                Cause::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
                Cause::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// When it may be worth to try again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { reason: Refused::Overloaded { retry_after, .. } } => Some(*retry_after),
            Self::Busy { .. }
            | Self::Refused { reason: Refused::Unavailable { .. } }
            | Self::Failed { reason: Failure::Unavailable { .. }, .. } => {
                Some(Duration::from_secs(1))
            }
            _ => None,
        }
    }

    /// The label of `te_request_failure`.
    pub fn metric(&self) -> &'static str {
        match self {
            Self::BatchSize { .. } => "batch_size",
            Self::WrongModel { .. } => "model_type",
            Self::Failed { reason: Failure::NonFinite, .. } => "missing_values",
            Self::Deadline { .. } => "deadline",
            _ => match self.cause() {
                Cause::Overloaded => "overloaded",
                Cause::Tokenizer => "tokenization",
                Cause::Backend | Cause::Unhealthy | Cause::Internal => "inference",
                _ => "validation",
            },
        }
    }

    /// An input that the tokenizer refuses.
    pub fn text(input: usize, reason: TextError) -> Self {
        match reason {
            TextError::TooLong { found, max_tokens } => Self::TooLong { max_tokens, found },
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

impl From<Refused> for Error {
    fn from(reason: Refused) -> Self {
        Self::Refused { reason }
    }
}
