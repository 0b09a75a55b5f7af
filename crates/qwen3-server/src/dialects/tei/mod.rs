//! text-embeddings-inference: its routes, fields, headers and statuses.
//! Where its code and its documentation differ, as its code.

mod embed;
mod info;
mod platforms;
mod rerank;
mod tokens;

pub use embed::*;
pub use info::*;
pub use platforms::*;
pub use rerank::*;
pub use tokens::*;

use super::Dialect;
use crate::error::Error;
use crate::error_kind::ErrorKind;
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// text-embeddings-inference.
pub struct Tei;

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct TeiError {
    /// For people.
    pub error: String,
    /// For programs.
    pub error_type: TeiErrorType,
}

/// Capitals, as the code has it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub enum TeiErrorType {
    /// The engine is gone, or not yet back.
    Unhealthy,
    /// The device failed.
    Backend,
    /// Too much waits.
    Overloaded,
    /// A field is wrong.
    Validation,
    /// A text is refused.
    Tokenizer,
    /// There is nothing to compute.
    Empty,
}

impl Dialect for Tei {
    fn error(error: &Error) -> Response {
        let error_type = match error.kind() {
            // As in the code: without a body.
            ErrorKind::Authentication => return error.status().into_response(),
            ErrorKind::Route | ErrorKind::Body | ErrorKind::Validation => TeiErrorType::Validation,
            ErrorKind::Empty => TeiErrorType::Empty,
            ErrorKind::Tokenizer => TeiErrorType::Tokenizer,
            ErrorKind::Overloaded => TeiErrorType::Overloaded,
            ErrorKind::Unavailable => TeiErrorType::Unhealthy,
            ErrorKind::WrongModel | ErrorKind::Device | ErrorKind::Internal => {
                TeiErrorType::Backend
            }
        };
        let message = match error {
            Error::TooLong { input, max_tokens, found } => format!(
                "`inputs` must have less than {max_tokens} tokens. Given: {found} (input {input})"
            ),
            error => error.to_string(),
        };
        let prefix = match error {
            Error::TooLong { .. } | Error::Invalid { .. } | Error::Field { .. } => {
                "Input validation error: "
            }
            _ => "",
        };
        let error_body = TeiError { error: format!("{prefix}{message}"), error_type };
        (error.status(), Json(error_body)).into_response()
    }
}
