//! Progress bars.

use crate::args::SourceArgs;
use crate::notes;
use crate::stop::Stop;
use crate::terminal::escaped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use qwen3_engine::{Hooks, Progress};
use std::io::IsTerminal;

const OF_BYTES: &str = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const OF_COUNTS: &str = "{msg} {bar:30} {pos}/{len} {eta}";

/// Progress bars on a terminal and notes, unless `--quiet`, and a token that Ctrl-C
/// cancels.
pub fn hooks(source: &SourceArgs, stop: &Stop) -> Hooks {
    if !source.quiet {
        notes::show_those_of_files();
    }
    let bars = !source.quiet && std::io::stderr().is_terminal();
    let hooks = Hooks::default().cancel(stop.token());
    if bars { hooks.on_progress(progress_bars()) } else { hooks }
}

fn progress_bars() -> impl Fn(Progress) + Send + Sync {
    let bar = ProgressBar::hidden();
    move |progress| {
        let Some(Step { message, position, length, template }) = step(progress) else { return };
        if bar.is_hidden() || bar.message() != message {
            let style = ProgressStyle::with_template(template);
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.set_style(style.expect("the template is a constant"));
            bar.set_message(message);
            bar.reset();
        }
        bar.set_length(length);
        bar.set_position(position);
        if position >= length {
            bar.finish_and_clear();
        }
    }
}

/// How a bar looks at one moment.
struct Step {
    message: String,
    position: u64,
    length: u64,
    template: &'static str,
}

/// `None`: there is no bar for it.
fn step(progress: Progress) -> Option<Step> {
    let (message, position, length, template) = match progress {
        Progress::Download { file, bytes, total_bytes } => {
            (format!("download {}", escaped(&file)), bytes, total_bytes, OF_BYTES)
        }
        Progress::Verify { file, bytes, total_bytes } => {
            (format!("verify {}", escaped(&file)), bytes, total_bytes, OF_BYTES)
        }
        Progress::Convert { bytes, total_bytes } => {
            ("write".to_owned(), bytes, total_bytes, OF_BYTES)
        }
        Progress::Load { tensors, total_tensors } => {
            ("load".to_owned(), tensors as u64 + 1, total_tensors as u64, OF_COUNTS)
        }
        Progress::Compute { texts, total_texts } => {
            ("compute".to_owned(), texts as u64, total_texts as u64, OF_COUNTS)
        }
        _ => return None,
    };
    Some(Step { message, position, length, template })
}
