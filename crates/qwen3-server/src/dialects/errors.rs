//! How errors are told: by each dialect in its words, and by most with OpenAI's
//! statuses.

use crate::error::Error;
use crate::error_kind::ErrorKind;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::marker::PhantomData;

/// How a dialect tells errors.
pub trait Dialect: Send + Sync + 'static {
    /// Status and body.
    fn error(error: &Error) -> Response;
}

/// An error in the words of a dialect.
pub struct DialectError<D>(Error, PhantomData<D>);

/// What the access log wants to know of an error.
#[derive(Clone, Debug)]
pub struct LoggedError {
    /// The label of `te_request_failure`.
    pub metric: &'static str,
    /// The message, where the fault is ours and it holds nothing of the client.
    pub fault: Option<String>,
}

impl<D> From<Error> for DialectError<D> {
    fn from(error: Error) -> Self {
        Self(error, PhantomData)
    }
}

impl<D: Dialect> IntoResponse for DialectError<D> {
    fn into_response(self) -> Response {
        let error = self.0;
        let mut response = D::error(&error);
        if let Some(after) = error.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, after.as_secs().into());
        }
        let is_ours = response.status().is_server_error() || error.kind() == ErrorKind::Device;
        let fault = is_ours.then(|| error.to_string());
        response.extensions_mut().insert(LoggedError { metric: error.metric(), fault });
        response
    }
}

/// OpenAI's status, type and code of an error; most other dialects have the same statuses.
pub fn status_type_code(error: &Error) -> (StatusCode, &'static str, Option<&'static str>) {
    let invalid = "invalid_request_error";
    match error.kind() {
        ErrorKind::Authentication => (error.status(), invalid, Some("invalid_api_key")),
        ErrorKind::Route | ErrorKind::Body => (error.status(), invalid, None),
        ErrorKind::Empty | ErrorKind::Validation | ErrorKind::Tokenizer => {
            (StatusCode::BAD_REQUEST, invalid, None)
        }
        ErrorKind::Overloaded => (error.status(), "rate_limit_error", Some("rate_limit_exceeded")),
        ErrorKind::WrongModel => (StatusCode::NOT_FOUND, invalid, Some("model_not_found")),
        ErrorKind::Device => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None),
        ErrorKind::Unavailable | ErrorKind::Internal => (error.status(), "server_error", None),
    }
}

/// The field that an error is about.
pub fn param(error: &Error) -> Option<String> {
    match error {
        Error::Empty { field: path } | Error::Field { path, .. } => Some(path.clone()),
        Error::Invalid { field, .. } => Some((*field).to_owned()),
        Error::Prompt { .. } => Some("prompt_name".to_owned()),
        _ => None,
    }
}
