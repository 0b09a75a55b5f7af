//! What every command around a model does: loading, progress bars, notes.

use crate::args::{ModelArgs, SourceArgs};
use crate::error::Error;
use crate::stop::Stop;
use crate::terminal::escaped;
use indicatif::{ProgressBar, ProgressStyle};
use qwen3_engine::{CancelToken, DeviceId, DtypeChoice, Error as EngineError, Fallback};
use qwen3_engine::{Hooks, HubOptions, Options, Progress, model_path};
use std::io::IsTerminal;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a run that waits for a thread looks whether it was cancelled.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long it then waits for that thread to notice.
const GRACE: Duration = Duration::from_secs(1);

/// Loads a model with the given function; returns it with the time that took.
pub fn load<M: Send + 'static>(
    args: &ModelArgs,
    default_model: &str,
    hooks: &Hooks,
    load: impl FnOnce(&str, &Options) -> Result<M, EngineError> + Send + 'static,
) -> Result<(M, Duration), Error> {
    let started = Instant::now();
    let name = args.source.model.as_deref().unwrap_or(default_model).to_owned();
    let options = args.options(hooks.clone());
    let model = interruptible(&hooks.cancel, move || load(&name, &options))?;
    Ok((model, started.elapsed()))
}

/// Where the model's files are, downloaded if need be.
pub fn find(source: &SourceArgs, name: &str, hooks: &Hooks) -> Result<PathBuf, Error> {
    let (revision, cache) = (Some(source.revision.as_str()), source.cache_folder.as_deref());
    Ok(model_path(name, HubOptions { revision, cache, token: None }, hooks)?)
}

/// Runs `call` on another thread. A driver may keep it from noticing for minutes that it
/// was cancelled: then nobody waits for it, and it ends with the process.
fn interruptible<T: Send + 'static>(
    cancel: &CancelToken,
    call: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let (sender, result) = sync_channel(1);
    let calling = thread::spawn(move || drop(sender.send(call())));
    let mut since = None;
    loop {
        match result.recv_timeout(PATIENCE) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => {
                resume_unwind(calling.join().expect_err("without a panic it sends"))
            }
            Err(RecvTimeoutError::Timeout) if !cancel.is_cancelled() => {}
            Err(RecvTimeoutError::Timeout) => {
                if since.get_or_insert_with(Instant::now).elapsed() > GRACE {
                    return Err(EngineError::Cancelled);
                }
            }
        }
    }
}

/// Progress bars on a terminal and notes, unless `--quiet`, and a token that Ctrl-C
/// cancels.
pub fn hooks(source: &SourceArgs, stop: &Stop) -> Hooks {
    if !source.quiet {
        crate::notes::show();
    }
    let bars = !source.quiet && std::io::stderr().is_terminal();
    Hooks { on_progress: bars.then(progress_bars), cancel: stop.token() }
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

/// Tells of added tokens that the model can't know.
pub fn note_tokens(args: &ModelArgs, without_row: &[String]) {
    if args.source.quiet || without_row.is_empty() {
        return;
    }
    let first: Vec<String> = without_row.iter().take(4).map(|token| format!("`{token}`")).collect();
    let rest = if without_row.len() > first.len() { ", …" } else { "" };
    crate::say(&format!(
        "the model has no embedding for {} of its tokenizer's tokens ({}{rest}); they are read as text",
        without_row.len(),
        first.join(", ")
    ));
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
                (format!("download {}", escaped(&file)), position, total_bytes, &bytes)
            }
            Progress::Verify { file, bytes: position, total_bytes } => {
                (format!("verify {}", escaped(&file)), position, total_bytes, &bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_does_not_notice_that_it_is_cancelled_is_left_behind() {
        let cancel = CancelToken::default();
        assert_eq!(interruptible(&cancel, || Ok(7)).unwrap(), 7);
        cancel.cancel();
        let (_never_sends, silent) = sync_channel::<()>(0);
        let waits = move || Ok(silent.recv().is_ok());
        assert!(matches!(interruptible(&cancel, waits), Err(EngineError::Cancelled)));
    }

    #[test]
    fn a_panic_of_the_call_is_a_panic_here() {
        let caught = std::panic::catch_unwind(|| {
            interruptible::<()>(&CancelToken::default(), || panic!("loading"))
        });
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"loading"));
    }
}
