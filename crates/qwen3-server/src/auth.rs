//! Who may ask: requests with one of the server's keys.

use crate::api_key::may_pass;
use crate::app::SharedApp;
use crate::dialects::{Dialect, DialectError};
use crate::error::Error;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Lets only requests with a key pass, if the server has keys.
pub async fn with_key<D: Dialect>(
    State(app): State<SharedApp>,
    request: Request,
    next: Next,
) -> Response {
    match may_pass(request.headers(), &app.inference.settings.api_keys) {
        true => next.run(request).await,
        false => DialectError::<D>::from(Error::Unauthorized).into_response(),
    }
}
