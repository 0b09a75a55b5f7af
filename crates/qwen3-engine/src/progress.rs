//! Hearing from long calls, and ending them early.

use crate::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How far a long call has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A file is being downloaded.
    Download {
        /// Its name in the repository.
        file: String,
        /// Bytes here so far.
        bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
    },
    /// A file's checksum is being computed.
    Verify {
        /// Its name.
        file: String,
        /// Bytes read so far.
        bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
    },
    /// A portable file is being written.
    Convert {
        /// Bytes written so far.
        bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
    },
    /// Weights go to the device.
    Load {
        /// Tensors there so far.
        tensors: usize,
        /// Tensors in all.
        total_tensors: usize,
    },
    /// Texts are being computed; called once with 0 and then after every batch.
    Compute {
        /// Texts done.
        texts: usize,
        /// Texts in all.
        total_texts: usize,
    },
}

/// Called with every step, on the thread of the call or one of its workers.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Ends calls from outside. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Ends every call that was given this token, at its next step: a chunk of
    /// a download, a tensor, or a layer of a batch.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`CancelToken::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a long call is given to report to and to be ended by.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Hooks {
    /// Hears of every step.
    pub on_progress: Option<OnProgress>,
    /// Ends the call with [`Error::Cancelled`]; the engine stays usable.
    pub cancel: CancelToken,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks")
            .field("on_progress", &self.on_progress.is_some())
            .field("cancel", &self.cancel)
            .finish()
    }
}

impl Hooks {
    /// The same hooks with a function that hears of every step.
    #[must_use]
    pub fn on_progress(mut self, on_progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(on_progress));
        self
    }

    /// The same hooks with this token, a clone of which is kept to cancel with.
    #[must_use]
    pub fn cancel(mut self, cancel: CancelToken) -> Self {
        self.cancel = cancel;
        self
    }

    pub(crate) fn report(&self, progress: Progress) {
        if let Some(on_progress) = &self.on_progress {
            on_progress(progress);
        }
    }

    /// As a loader is told whether to go on.
    pub(crate) fn go_on(&self) -> ControlFlow<()> {
        if self.cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}
