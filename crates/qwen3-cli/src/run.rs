//! What every command around a model does: Ctrl-C, progress bars, notes.

use crate::args::{ModelArgs, SourceArgs};
use crate::error::Error;
use indicatif::{ProgressBar, ProgressStyle};
use qwen3_engine::{CancelToken, DeviceId, DtypeChoice, Fallback, Hooks, Options, Progress};
use std::io::IsTerminal;
use std::process::exit;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Loads a model with the given function; returns it with the time that took.
pub fn load<M>(
    args: &ModelArgs,
    default_model: &str,
    hooks: &Hooks,
    load: impl FnOnce(&str, &Options) -> Result<M, qwen3_engine::Error>,
) -> Result<(M, Duration), Error> {
    let started = Instant::now();
    let name = args.source.model.as_deref().unwrap_or(default_model);
    let model = load(name, &args.options(hooks.clone()))?;
    Ok((model, started.elapsed()))
}

/// Progress bars on a terminal, unless `--quiet`, and a token that Ctrl-C cancels.
pub fn hooks(source: &SourceArgs) -> Result<Hooks, Error> {
    let cancel = CancelToken::default();
    let token = cancel.clone();
    ctrlc::set_handler(move || {
        if token.is_cancelled() {
            // Asked twice: at once.
            exit(i32::from(crate::CANCELLED));
        }
        token.cancel();
    })
    .map_err(Error::Signal)?;
    let bars = !source.quiet && std::io::stderr().is_terminal();
    Ok(Hooks { on_progress: bars.then(progress_bars), cancel })
}

/// Tells where the model runs, if something better was passed over.
pub fn note_fallbacks(args: &ModelArgs, device: DeviceId, fallbacks: &[Fallback]) {
    if args.source.quiet {
        return;
    }
    for passed_over in fallbacks {
        crate::say(&format!("not on {passed_over}"));
    }
    if !fallbacks.is_empty() {
        crate::say(&format!("running on `{device}`"));
    }
}

/// `f32`, `bf16` or `f16`.
pub fn dtype_name(dtype: qwen3_engine::Dtype) -> String {
    DtypeChoice::from(dtype).to_string()
}

fn progress_bars() -> Arc<dyn Fn(Progress) + Send + Sync> {
    let bar = ProgressBar::hidden();
    let template = |template: &str| {
        ProgressStyle::with_template(template).expect("the template is a constant")
    };
    let bytes = template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let counts = template("{msg} {bar:30} {pos}/{len} {eta}");
    Arc::new(move |progress| {
        let (message, position, length, style) = match progress {
            Progress::Download { file, bytes: position, total_bytes } => {
                (format!("download {file}"), position, total_bytes, &bytes)
            }
            Progress::Verify { file, bytes: position, total_bytes } => {
                (format!("verify {file}"), position, total_bytes, &bytes)
            }
            Progress::Convert { bytes: position, total_bytes } => {
                ("write".to_owned(), position, total_bytes, &bytes)
            }
            Progress::Load { tensors, total_tensors } => {
                ("load".to_owned(), tensors as u64 + 1, total_tensors as u64, &counts)
            }
            Progress::Embed { texts, total_texts } => {
                ("compute".to_owned(), texts as u64, total_texts as u64, &counts)
            }
            _ => return,
        };
        if bar.is_hidden() || bar.message() != message {
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            bar.set_style(style.clone());
            bar.set_message(message);
            bar.reset();
        }
        bar.set_length(length);
        bar.set_position(position);
        if position >= length {
            bar.finish_and_clear();
        }
    })
}
