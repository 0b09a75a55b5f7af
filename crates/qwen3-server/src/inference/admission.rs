//! How requests are let in and take turns.

use super::Inference;
use crate::error::Error;
use crate::settings::Settings;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long texts of one request are tokenized before others have their turn.
const TURN: Duration = Duration::from_millis(1);

/// So many of the largest answers are made or on their way at the same time; others wait.
const ANSWERS: usize = 4;
/// Answers that are not counted among them.
const SMALL_ANSWER_KIB: u32 = 64;

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
pub struct Admission(Arc<Mutex<Place>>);

/// What a request holds until its answer has left.
#[derive(Debug, Default)]
struct Place {
    among_requests: Option<OwnedSemaphorePermit>,
    /// Of each part of the answer that is large.
    among_answers: Vec<OwnedSemaphorePermit>,
    has_asked_for_room: bool,
}

/// Bytes of a body that the server holds, among those of all others.
pub struct Held {
    bodies: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Inference {
    /// Runs something that takes a processor's time on the blocking pool, of
    /// which as much is used as the settings say.
    ///
    /// # Errors
    /// What it returns, and if it panics.
    pub async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.tokenizers.clone().acquire_owned().await;
        let permit = permit.expect("nobody closes it");
        let run = move || {
            let result = call();
            drop(permit);
            result
        };
        tokio::task::spawn_blocking(run).await.unwrap_or(Err(Error::Internal))
    }

    /// Runs the steps of something that takes a processor's time, until there are
    /// none. After every [`TURN`] others have theirs.
    ///
    /// # Errors
    /// As [`Inference::blocking`].
    pub async fn in_turns<T: Send + 'static>(
        &self,
        mut step: impl FnMut() -> Result<Option<T>, Error> + Send + 'static,
    ) -> Result<Vec<T>, Error> {
        let mut done: Vec<T> = vec![];
        loop {
            let turn = move || {
                let (started, mut part, mut goes_on) = (Instant::now(), vec![], true);
                while goes_on && started.elapsed() < TURN {
                    let next = step()?;
                    goes_on = next.is_some();
                    part.extend(next);
                }
                Ok((part, goes_on, step))
            };
            let (part, goes_on, again) = self.blocking(turn).await?;
            done.extend(part);
            if !goes_on {
                return Ok(done);
            }
            step = again;
        }
    }

    /// Counts a request and lets it in, until its answer has left.
    pub(crate) fn admit(
        &self,
        call: &Call,
        field: &'static str,
        texts: usize,
    ) -> Result<(), Error> {
        self.metrics.request(texts);
        self.check_texts(field, texts)?;
        let mut place = call.admission.place();
        if place.among_requests.is_none() {
            let max = self.settings.max_concurrent_requests;
            let permit = self.requests.clone().try_acquire_owned();
            place.among_requests = Some(permit.map_err(|_| Error::Busy { max })?);
        }
        Ok(())
    }

    /// Whether a request may have so many texts.
    pub(crate) fn check_texts(&self, field: &'static str, texts: usize) -> Result<(), Error> {
        let max = self.settings.max_client_batch_size;
        match texts {
            0 => Err(Error::Empty { field: field.to_owned() }),
            _ if texts > max => Err(Error::BatchSize { found: texts, max }),
            _ => Ok(()),
        }
    }

    /// Whether an answer may have so many bytes, before it is JSON.
    pub(crate) fn check_answer(&self, bytes: usize) -> Result<(), Error> {
        let max = self.settings.answer_limit;
        match bytes > max {
            true => Err(Error::Answer { bytes, max }),
            false => Ok(()),
        }
    }

    /// Waits until there is room for an answer of so many bytes beside others, those on
    /// their way included; small ones need none.
    pub(super) async fn room(&self, call: &Call, bytes: usize) {
        let kib = (bytes / 1024).min(answer_permits(&self.settings));
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        if kib < SMALL_ANSWER_KIB {
            return;
        }
        let has_asked = std::mem::replace(&mut call.admission.place().has_asked_for_room, true);
        let permit = match has_asked {
            false => self.answers.clone().acquire_many_owned(kib).await.ok(),
            // Requests that hold some and wait for more could wait for each other.
            true => self.answers.clone().try_acquire_many_owned(kib).ok(),
        };
        call.admission.place().among_answers.extend(permit);
    }

    /// Room for a body, of which nothing has come yet.
    pub(crate) fn hold(&self) -> Held {
        Held { bodies: self.bodies.clone(), permit: None }
    }
}

impl Admission {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Adds bytes that have come.
    ///
    /// # Errors
    /// If the server holds too many.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), ()> {
        let bytes = u32::try_from(bytes).map_err(drop)?;
        let more = self.bodies.clone().try_acquire_many_owned(bytes).map_err(drop)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

/// KiB of all answers together that are being made.
pub(super) fn answer_permits(settings: &Settings) -> usize {
    (ANSWERS.saturating_mul(settings.answer_limit) / 1024).min(Semaphore::MAX_PERMITS)
}

/// Bytes of all bodies together.
pub(super) fn body_permits(settings: &Settings) -> usize {
    let bytes = settings.max_concurrent_bytes.max(settings.payload_limit);
    bytes.min(Semaphore::MAX_PERMITS)
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
    pub(super) fn count(&self, tokens: usize) -> usize {
        self.tokens.fetch_add(tokens, Ordering::Relaxed) + tokens
    }
}

/// Runs something; what takes long, on a thread that no other request waits for.
///
/// # Errors
/// If it panics there.
pub(crate) async fn aside<T: Send + 'static>(
    is_long: bool,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    match is_long {
        false => Ok(run()),
        true => tokio::task::spawn_blocking(run).await.map_err(|_| Error::Internal),
    }
}
