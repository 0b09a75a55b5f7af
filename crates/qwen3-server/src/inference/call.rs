//! One request on its way through the server: its clock, and what it holds.

use crate::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// A request as it goes through the server.
#[derive(Clone, Debug)]
pub struct Call {
    /// When its head was read.
    pub started: Instant,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Its place among others.
    pub admission: Admission,
    /// Tokens of all its parts so far.
    tokens: Arc<AtomicUsize>,
}

/// A request's place among those that are computed, or whose answers are on their way: it is
/// free again when the last clone is dropped. An answer has one in its extensions.
#[derive(Clone, Debug, Default)]
pub struct Admission(Arc<Mutex<Permits>>);

/// What a request holds until its answer has left.
#[derive(Debug, Default)]
pub struct Permits {
    pub among_requests: Option<OwnedSemaphorePermit>,
    /// Of each part of the answer that is large.
    pub among_answers: Vec<OwnedSemaphorePermit>,
    pub has_asked_for_room: bool,
}

impl Call {
    /// One that begins now.
    pub fn now(timeout: Option<Duration>) -> Self {
        Self {
            started: Instant::now(),
            timeout,
            admission: Admission::default(),
            tokens: Arc::default(),
        }
    }

    /// What `work` gives, unless it takes too long; then it is dropped.
    ///
    /// # Errors
    /// What it returns, and if it takes too long.
    pub async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let until = self.timeout.and_then(|allowed| self.started.checked_add(allowed));
        let (Some(allowed), Some(until)) = (self.timeout, until) else { return work.await };
        let result = tokio::time::timeout_at(until.into(), work).await;
        result.unwrap_or(Err(Error::Deadline { allowed }))
    }

    /// Counts tokens; how many there are now.
    pub fn count(&self, tokens: usize) -> usize {
        self.tokens.fetch_add(tokens, Ordering::Relaxed) + tokens
    }

    pub fn permits(&self) -> MutexGuard<'_, Permits> {
        self.admission.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
