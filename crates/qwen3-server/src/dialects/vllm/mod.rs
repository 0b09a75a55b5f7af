//! vLLM's pooling server: `/pooling`, `/score`, and `/rerank` with `documents`.

mod pooling;
mod rerank;
mod score;

pub use pooling::*;
pub use rerank::*;
pub use score::*;

use super::{Dialect, param, status_type_code};
use crate::error::Error;
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// vLLM.
pub struct Vllm;

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct VllmError {
    /// All of it.
    pub error: VllmErrorDetails,
}

/// What went wrong, in detail.
#[derive(Debug, Serialize, ToSchema)]
pub struct VllmErrorDetails {
    /// For people.
    pub message: String,
    /// For programs.
    pub r#type: &'static str,
    /// The field that is wrong.
    pub param: Option<String>,
    /// The status.
    pub code: u16,
}

impl Dialect for Vllm {
    fn error(error: &Error) -> Response {
        let (status, ..) = status_type_code(error);
        let r#type = match status.as_u16() {
            401 => "AuthenticationError",
            404 => "NotFoundError",
            429 => "RateLimitError",
            400..=499 => "BadRequestError",
            _ => "InternalServerError",
        };
        let (message, param, code) = (error.to_string(), param(error), status.as_u16());
        let error = VllmErrorDetails { message, r#type, param, code };
        (status, Json(VllmError { error })).into_response()
    }
}
