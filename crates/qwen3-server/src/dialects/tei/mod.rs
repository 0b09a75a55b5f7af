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
use crate::error::{Cause, Error};
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
        let error_type = match error.cause() {
            // As in the code: without a body.
            Cause::Authentication => return error.status().into_response(),
            Cause::Route | Cause::Body | Cause::Validation => TeiErrorType::Validation,
            Cause::Empty => TeiErrorType::Empty,
            Cause::Tokenizer => TeiErrorType::Tokenizer,
            Cause::Overloaded => TeiErrorType::Overloaded,
            Cause::Unhealthy => TeiErrorType::Unhealthy,
            Cause::Backend | Cause::Internal => TeiErrorType::Backend,
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
