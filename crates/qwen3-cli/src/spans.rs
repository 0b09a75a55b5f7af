//! Spans of `qwen3 serve` for an OpenTelemetry collector. A program built
//! without them has `no_spans.rs` in this place.

use crate::error::Error;
use crate::serve_args::OperationArgs;
use qwen3_otlp::{Otlp, Router, traced};
use std::time::Duration;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// How long the last spans may take to the collector.
const LAST_SPANS_TIMEOUT: Duration = Duration::from_secs(3);

/// The way to a collector, where there is one.
pub struct Spans(Option<Otlp>);

impl Spans {
    /// Where the flags say. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// If the URL can't be used.
    pub fn new(args: &OperationArgs) -> Result<Self, Error> {
        let endpoint = args.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
        let otlp = endpoint.map(|endpoint| Otlp::new(endpoint, &args.otlp_service_name));
        Ok(Self(otlp.transpose()?))
    }

    /// What takes the spans.
    pub fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> Option<impl Layer<S>> {
        self.0.as_ref().map(Otlp::layer)
    }

    /// The same routes, with a span for each request.
    pub fn of_requests(&self, routes: Router) -> Router {
        match self.0 {
            Some(_) => traced(routes),
            None => routes,
        }
    }

    /// Sends what is left. Blocks for a few seconds at most.
    pub fn stop(&self) {
        if let Some(otlp) = &self.0 {
            otlp.stop(LAST_SPANS_TIMEOUT);
        }
    }
}
