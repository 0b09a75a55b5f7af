//! Spans of the server's requests to an OpenTelemetry collector, over gRPC.
//!
//! A span holds route, status, counts and times, never a text or a key. They
//! leave in batches, from a thread of their own: a collector that is slow or
//! away costs no request anything, and spans beyond a queue are dropped.
//!
//! It is a crate of its own so that it is built and tested without the network.

pub use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, Method};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::collections::HashMap;
use std::time::Duration;
use tracing::{Instrument, Metadata, Subscriber, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::registry::LookupSpan;

/// How long a batch of spans may take to the collector.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The way to a collector.
pub struct Otlp(SdkTracerProvider);

/// Why no spans can be sent.
#[derive(Debug, thiserror::Error)]
#[error("can't send spans to `{endpoint}`; write a URL such as `http://localhost:4317`")]
pub struct OtlpError {
    endpoint: String,
    source: ExporterBuildError,
}

impl Otlp {
    /// To the collector at a URL, `http` only. It is not asked for yet. Must be
    /// called inside of a tokio runtime.
    ///
    /// # Errors
    /// If the URL can't be used.
    pub fn new(endpoint: &str, service_name: &str) -> Result<Self, OtlpError> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(|source| OtlpError { endpoint: endpoint.to_owned(), source })?;
        let resource = Resource::builder().with_service_name(service_name.to_owned()).build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter);
        Ok(Self(provider.with_resource(resource).build()))
    }

    /// What takes the spans of the server; events and the spans of others stay out.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let is_ours = |of: &Metadata<'_>| of.is_span() && of.target().starts_with("qwen3_");
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("qwen3"))
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_filter(FilterFn::new(is_ours).with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what is left, for at most `timeout`. Blocks.
    pub fn stop(&self, timeout: Duration) {
        // What a collector didn't take by now is lost.
        let _ = self.0.shutdown_with_timeout(timeout);
    }
}

/// A span for each request for inference, which are the posts.
pub fn traced(router: Router) -> Router {
    router.layer(from_fn(trace))
}

async fn trace(request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    // Other paths could be anything, so they are not repeated.
    let route = route.unwrap_or("none");
    let span = tracing::info_span!(
        "request",
        otel.name = format!("POST {route}"),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = "POST",
        http.route = route,
        http.response.status_code = field::Empty,
    );
    // Fails where no layer takes the span.
    let _ = span.set_parent(context(request.headers()));
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", i64::from(response.status().as_u16()));
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}

/// The trace that a request belongs to, if its client says so (W3C Trace Context).
fn context(headers: &HeaderMap) -> Context {
    let value = |name: &str| Some((name.to_owned(), headers.get(name)?.to_str().ok()?.to_owned()));
    let names = ["traceparent", "tracestate"].into_iter();
    let carrier: HashMap<String, String> = names.filter_map(value).collect();
    TraceContextPropagator::new().extract(&carrier)
}
