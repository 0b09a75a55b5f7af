//! Long calls. Other Python threads run meanwhile, Ctrl-C ends the call, and a Python
//! function hears of its steps.

use crate::errors::to_python;
use pyo3::prelude::*;
use qwen3_engine::{CancelToken, Error, Hooks, Progress};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// How often a call that takes long asks whether Ctrl-C was pressed.
const PATIENCE: Duration = Duration::from_millis(50);

/// A step of a call, or `None`, its end.
type Step = Option<Progress>;

/// Runs `call` on a thread of its own. Only the thread of the caller can hear of signals
/// in Python, so it waits and asks; `on_progress` is called there, too.
pub fn run<T: Send>(
    py: Python<'_>,
    on_progress: Option<Py<PyAny>>,
    call: impl FnOnce(Hooks) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let cancel = CancelToken::default();
    let (sender, steps) = channel::<Step>();
    let end = sender.clone();
    let mut hooks = Hooks::default().cancel(cancel.clone());
    if on_progress.is_some() {
        hooks = hooks.on_progress(move |step| {
            // Nobody listens once the call was interrupted.
            let _ = sender.send(Some(step));
        });
    }
    let (interrupted, result) = py.detach(move || {
        thread::scope(|scope| {
            let worker = scope.spawn(move || {
                let result = call(hooks);
                let _ = end.send(None);
                result
            });
            let interrupted = listen(&steps, on_progress.as_ref(), || worker.is_finished());
            if interrupted.is_err() {
                cancel.cancel();
            }
            (interrupted, worker.join())
        })
    });
    interrupted?;
    result.unwrap_or_else(|panic| resume_unwind(panic)).map_err(|error| to_python(py, &error))
}

/// Passes steps on until the call has ended, or somebody in Python ends it.
fn listen(
    steps: &Receiver<Step>,
    on_progress: Option<&Py<PyAny>>,
    is_finished: impl Fn() -> bool,
) -> PyResult<()> {
    loop {
        match (steps.recv_timeout(PATIENCE), on_progress) {
            (Ok(None), _) => return Ok(()),
            (Ok(Some(step)), Some(on_progress)) => {
                Python::attach(|py| on_progress.call1(py, in_python(step)).map(drop))?;
            }
            // Without an end a call ends in a panic.
            _ if is_finished() => return Ok(()),
            _ => {}
        }
        Python::attach(|py| py.check_signals())?;
    }
}

/// The stage, what is done of how much, and the file that it is about.
fn in_python(step: Progress) -> (&'static str, u64, u64, Option<String>) {
    let counted = |stage, done, total| (stage, done as u64, total as u64, None);
    match step {
        Progress::Download { file, bytes, total_bytes } => {
            ("download", bytes, total_bytes, Some(file))
        }
        Progress::Verify { file, bytes, total_bytes } => ("verify", bytes, total_bytes, Some(file)),
        Progress::Load { tensors, total_tensors } => counted("load", tensors, total_tensors),
        Progress::Compute { texts, total_texts } => counted("compute", texts, total_texts),
        _ => ("other", 0, 0, None),
    }
}
