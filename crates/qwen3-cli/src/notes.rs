//! What the library logs while it finds a model, as lines on standard error.
//! `qwen3 serve` has a log of its own.

use std::fmt::Debug;
use tracing::field::Field;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// From here on.
pub fn show() {
    // The other notes of the library are in its results, and printed from these.
    let of_the_hub = Targets::new().with_target("qwen3_engine::hub", Level::INFO);
    let _ = tracing_subscriber::registry().with(Notes.with_filter(of_the_hub)).try_init();
}

struct Notes;

impl<S: Subscriber> Layer<S> for Notes {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut |field: &Field, value: &dyn Debug| {
            if field.name() == "message" {
                crate::say(&format!("{value:?}"));
            }
        });
    }
}
