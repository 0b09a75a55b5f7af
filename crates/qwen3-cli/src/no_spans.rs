//! In place of `spans.rs` where the program is built without OpenTelemetry.

use crate::error::Error;
use crate::serve_args::OperationArgs;
use tracing_subscriber::layer::Identity;

/// None.
pub struct Spans;

impl Spans {
    /// None.
    ///
    /// # Errors
    /// If they are asked for.
    pub fn new(args: &OperationArgs) -> Result<Self, Error> {
        match args.otlp_endpoint.as_deref() {
            None | Some("") => Ok(Self),
            Some(_) => Err(Error::NoSpans),
        }
    }

    /// Takes none.
    pub fn layer(&self) -> Identity {
        Identity::new()
    }

    /// The routes as they are.
    pub fn of_requests<R>(&self, routes: R) -> R {
        routes
    }

    /// Nothing is left.
    pub fn stop(&self) {}
}
