//! Spans of `qwen3 serve` for an OpenTelemetry collector. A program that is built without
//! the feature `otlp` can't send any, and says so if it is asked to.

use super::args::OperationArgs;
use crate::error::Error;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;
#[cfg(feature = "otlp")]
use {
    qwen3_otlp::{Otlp, Router, traced},
    std::time::Duration,
};

/// How long the last spans may take to the collector.
#[cfg(feature = "otlp")]
const LAST_SPANS_TIMEOUT: Duration = Duration::from_secs(3);

/// The way to a collector, where there is one.
pub struct Spans {
    #[cfg(feature = "otlp")]
    otlp: Option<Otlp>,
}

impl Spans {
    /// To where the flags say. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// If the URL can't be used, or the program can't send spans.
    pub fn new(args: &OperationArgs) -> Result<Self, Error> {
        let endpoint = args.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
        #[cfg(feature = "otlp")]
        {
            let otlp = endpoint.map(|endpoint| Otlp::new(endpoint, &args.otlp_service_name));
            Ok(Self { otlp: otlp.transpose()? })
        }
        #[cfg(not(feature = "otlp"))]
        {
            endpoint.map_or(Ok(Self {}), |_| Err(Error::NoSpans))
        }
    }

    /// What takes the spans.
    pub fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> impl Layer<S> + use<S> {
        #[cfg(feature = "otlp")]
        {
            self.otlp.as_ref().map(Otlp::layer)
        }
        #[cfg(not(feature = "otlp"))]
        {
            tracing_subscriber::layer::Identity::new()
        }
    }

    /// The same routes, with a span for each request.
    #[cfg(feature = "otlp")]
    pub fn of_requests(&self, routes: Router) -> Router {
        if self.otlp.is_some() { traced(routes) } else { routes }
    }

    /// The routes as they are: nobody traces them.
    #[cfg(not(feature = "otlp"))]
    pub fn of_requests<R>(&self, routes: R) -> R {
        routes
    }

    /// Sends what is left. Blocks for a few seconds at most.
    pub fn stop(&self) {
        #[cfg(feature = "otlp")]
        if let Some(otlp) = &self.otlp {
            otlp.stop(LAST_SPANS_TIMEOUT);
        }
    }
}
