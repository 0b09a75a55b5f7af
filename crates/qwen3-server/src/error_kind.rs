//! What an error is about, and what follows from it: its status, when to try
//! again, and how it is counted.

use crate::error::Error;
use crate::scheduler::{ComputeError, SubmitError};
use axum::http::StatusCode;
use std::time::Duration;

/// What dialects tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request has no key that the server knows.
    Authentication,
    /// There is no such route, or it takes another method.
    Route,
    /// The body can't be read as JSON, or is too large.
    Body,
    /// There is nothing to compute.
    Empty,
    /// A field is missing or wrong, or the request asks for too much.
    Validation,
    /// The tokenizer or the network refuses a text.
    Tokenizer,
    /// The server has no model that does this.
    WrongModel,
    /// Too much is being answered just now.
    Overloaded,
    /// The device failed, or gave numbers that are none.
    Device,
    /// No replica works, or it took too long.
    Unavailable,
    /// The server has a bug.
    Internal,
}

impl Error {
    /// What it is about.
    pub fn kind(&self) -> ErrorKind {
        self.kind_and_status().0
    }

    /// The status, as text-embeddings-inference has it.
    pub fn status(&self) -> StatusCode {
        self.kind_and_status().1
    }

    fn kind_and_status(&self) -> (ErrorKind, StatusCode) {
        use {ErrorKind as Kind, StatusCode as Status};
        match self {
            Self::Unauthorized => (Kind::Authentication, Status::UNAUTHORIZED),
            Self::NoRoute => (Kind::Route, Status::NOT_FOUND),
            Self::NoMethod => (Kind::Route, Status::METHOD_NOT_ALLOWED),
            Self::Compressed { .. } => (Kind::Body, Status::UNSUPPORTED_MEDIA_TYPE),
            Self::Payload { .. } | Self::Values { .. } => (Kind::Body, Status::PAYLOAD_TOO_LARGE),
            Self::SlowBody => (Kind::Body, Status::REQUEST_TIMEOUT),
            Self::NoBody
            | Self::NotUtf8 { .. }
            | Self::OtherUnicode { .. }
            | Self::Syntax { .. } => (Kind::Body, Status::BAD_REQUEST),
            Self::Empty { .. } => (Kind::Empty, Status::BAD_REQUEST),
            Self::Field { .. }
            | Self::Invalid { .. }
            | Self::Prompt { .. }
            | Self::BatchSize { .. }
            | Self::Answer { .. }
            | Self::Repeated { .. }
            | Self::TooLong { .. }
            | Self::NotQueued { reason: SubmitError::TooLarge { .. } } => {
                (Kind::Validation, Status::UNPROCESSABLE_ENTITY)
            }
            Self::Text { .. } | Self::NotComputed { reason: ComputeError::Input { .. }, .. } => {
                (Kind::Tokenizer, Status::UNPROCESSABLE_ENTITY)
            }
            Self::WrongModel { .. } => (Kind::WrongModel, Status::FAILED_DEPENDENCY),
            Self::Busy { .. }
            | Self::BusyBytes { .. }
            | Self::NotQueued { reason: SubmitError::Overloaded { .. } } => {
                (Kind::Overloaded, Status::TOO_MANY_REQUESTS)
            }
            Self::NotQueued { reason: SubmitError::Unavailable { .. } }
            | Self::NotComputed { reason: ComputeError::Unavailable { .. }, .. } => {
                (Kind::Unavailable, Status::SERVICE_UNAVAILABLE)
            }
            Self::Deadline { .. } => (Kind::Unavailable, Status::GATEWAY_TIMEOUT),
            Self::NotComputed { .. } => (Kind::Device, Status::FAILED_DEPENDENCY),
            Self::Internal => (Kind::Internal, Status::INTERNAL_SERVER_ERROR),
        }
    }

    /// When it may be worth to try again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotQueued { reason: SubmitError::Overloaded { retry_after, .. } } => {
                Some(*retry_after)
            }
            Self::Deadline { .. } => None,
            _ => match self.kind() {
                ErrorKind::Overloaded | ErrorKind::Unavailable => Some(Duration::from_secs(1)),
                _ => None,
            },
        }
    }

    /// The label of `te_request_failure`.
    pub fn metric(&self) -> &'static str {
        match self {
            Self::BatchSize { .. } => "batch_size",
            Self::NotComputed { reason: ComputeError::NonFinite, .. } => "missing_values",
            Self::Deadline { .. } => "deadline",
            _ => match self.kind() {
                ErrorKind::WrongModel => "model_type",
                ErrorKind::Overloaded => "overloaded",
                ErrorKind::Tokenizer => "tokenization",
                ErrorKind::Device | ErrorKind::Unavailable | ErrorKind::Internal => "inference",
                _ => "validation",
            },
        }
    }
}
