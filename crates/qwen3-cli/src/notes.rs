//! What is said on standard error beside results and errors, unless `--quiet`.

use crate::args::SourceArgs;
use crate::say;
use qwen3_engine::{DeviceId, Fallback};
use std::fmt::Debug;
use tracing::field::Field;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Tokens without an embedding that are named.
const NAMED: usize = 4;

/// Tells where a model runs, if something better was passed over, and of added tokens
/// that it has no embedding for.
pub fn of_model(
    source: &SourceArgs,
    device: DeviceId,
    fallbacks: &[Fallback],
    without_row: &[String],
) {
    if source.quiet {
        return;
    }
    for passed_over in fallbacks {
        say(&format!("not on {passed_over}"));
    }
    if !fallbacks.is_empty() {
        say(&format!("running on `{device}`"));
    }
    if !without_row.is_empty() {
        say(&unknown_tokens(without_row));
    }
}

fn unknown_tokens(tokens: &[String]) -> String {
    let named: Vec<String> = tokens.iter().take(NAMED).map(|token| format!("`{token}`")).collect();
    let rest = if tokens.len() > NAMED { ", …" } else { "" };
    format!(
        "the model has no embedding for {} of its tokenizer's tokens ({}{rest}); they are read as text",
        tokens.len(),
        named.join(", ")
    )
}

/// From here on, shows what the engine logs while it finds and opens a model. `qwen3 serve`
/// has a log of its own.
pub fn show_those_of_files() {
    // The other notes of the library are in its results, and printed from these.
    let of_files = Targets::new().with_target("qwen3_engine::files", Level::INFO);
    let _ = tracing_subscriber::registry().with(Notes.with_filter(of_files)).try_init();
}

/// Prints messages as lines.
struct Notes;

impl<S: Subscriber> Layer<S> for Notes {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut |field: &Field, value: &dyn Debug| {
            if field.name() == "message" {
                say(&format!("{value:?}"));
            }
        });
    }
}
