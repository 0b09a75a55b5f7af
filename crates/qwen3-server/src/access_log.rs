//! What every request passes first and last: its clock starts, its answer is counted, and a line
//! goes to the log with time, route and status, never with a text or a key.

use crate::app::SharedApp;
use crate::dialects::LoggedError;
use crate::inference::Call;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use std::convert::Infallible;
use std::time::Duration;
use tower_http::request_id::RequestId;

/// In seconds: a client allows less time than the server does.
const TIMEOUT_HEADER: &str = "x-request-timeout";
const ID_HEADER: &str = "x-request-id";
/// Routes that machines ask every few seconds.
const QUIET: [&str; 5] = ["/health", "/ping", "/metrics", "/", "/stats"];

/// Characters of a request's id.
const MAX_ID: usize = 128;

/// Drops an id that is long or strange, for one of our own: it is repeated in the answer and in
/// the log, and comes from anybody.
pub async fn modest_id(mut request: Request) -> Request {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    let is_modest = |value: &HeaderValue| {
        (1..=MAX_ID).contains(&value.len()) && value.as_bytes().iter().all(is_plain)
    };
    if !request.headers().get_all(ID_HEADER).iter().all(is_modest) {
        request.headers_mut().remove(ID_HEADER);
    }
    request
}

/// Every request has one, since [`observe`] begins it.
impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().expect("the access log begins it").clone())
    }
}

/// Starts the clock of a request, counts its answer, and writes a line to the log.
pub async fn observe(State(app): State<SharedApp>, mut request: Request, next: Next) -> Response {
    let own = request.headers().get(TIMEOUT_HEADER).and_then(|value| value.to_str().ok());
    let own = own.and_then(|seconds| seconds.parse().ok());
    let own = own.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let allowed = app.inference.settings.request_timeout;
    let timeout = [own, allowed].into_iter().flatten().min();
    let call = Call::now(timeout);
    request.extensions_mut().insert(call.clone());
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    // Other paths could be anything, so they are not repeated.
    let route = route.unwrap_or_else(|| "none".to_owned());
    let id = request.extensions().get::<RequestId>().cloned();
    let method = request.method().clone();

    let mut response = next.run(request).await;
    response.extensions_mut().insert(call.admission);

    let status = response.status().as_u16();
    app.inference.metrics.response(&route, status);
    let error = response.extensions().get::<LoggedError>();
    if let Some(error) = error {
        app.inference.metrics.failure(error.metric);
    }
    let id = id.as_ref().and_then(|id| id.header_value().to_str().ok()).unwrap_or_default();
    let ms = call.started.elapsed().as_secs_f64() * 1e3;
    match error.and_then(|error| error.fault.as_deref()) {
        Some(fault) => tracing::error!(%method, route, status, ms, id, fault, "failed"),
        None if QUIET.contains(&route.as_str()) => {
            tracing::debug!(%method, route, status, ms, id, "answered");
        }
        None => tracing::info!(%method, route, status, ms, id, "answered"),
    }
    response
}
