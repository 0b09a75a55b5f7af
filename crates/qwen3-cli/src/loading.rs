//! Loads a model so that Ctrl-C is heard meanwhile.

use crate::args::ModelArgs;
use crate::error::Error;
use qwen3_engine::{CancelToken, Error as EngineError, Hooks, Options, Source};
use std::panic::resume_unwind;
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
    load: impl FnOnce(Source, &Options) -> Result<M, EngineError> + Send + 'static,
) -> Result<(M, Duration), Error> {
    let started = Instant::now();
    let source = args.source.source(default_model);
    let options = args.options(hooks.clone());
    let model = interruptible(&hooks.cancel, move || load(source, &options))?;
    Ok((model, started.elapsed()))
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
