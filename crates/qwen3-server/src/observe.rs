//! What is noted of every request: time, route and status, never a text or a key.

use crate::app::SharedApp;
use crate::dialects::Told;
use crate::inference::Call;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::time::Duration;
use tower_http::request_id::RequestId;

/// In seconds: a client allows less time than the server does.
const TIMEOUT_HEADER: &str = "x-request-timeout";
/// Routes that machines ask every few seconds.
const QUIET: [&str; 5] = ["/health", "/ping", "/metrics", "/", "/stats"];

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

    let response = next.run(request).await;

    let status = response.status().as_u16();
    app.inference.metrics.response(&route, status);
    let told = response.extensions().get::<Told>();
    if let Some(told) = told {
        app.inference.metrics.failure(told.metric);
    }
    let id = id.as_ref().and_then(|id| id.header_value().to_str().ok()).unwrap_or_default();
    let ms = call.started.elapsed().as_secs_f64() * 1e3;
    match told.and_then(|told| told.fault.as_deref()) {
        Some(fault) => tracing::error!(%method, route, status, ms, id, fault, "failed"),
        None if QUIET.contains(&route.as_str()) => {
            tracing::debug!(%method, route, status, ms, id, "answered");
        }
        None => tracing::info!(%method, route, status, ms, id, "answered"),
    }
    response
}
