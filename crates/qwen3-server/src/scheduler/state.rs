//! What the requests and the replicas of one model share, under one lock.

use super::cache::Cache;
use super::errors::{ComputeError, SubmitError};
use super::queue::{Queue, RequestId, Work};
use super::{Phase, SchedulerSettings};
use crate::metrics::ModelMetrics;
use qwen3_engine::CancelToken;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Why there are no answers, as clients hear it: the cause may name files of this
/// machine.
pub const NOT_LOADED: &str = "it isn't loaded; the server's log says why";

/// The rows of one text, and how long they took.
#[derive(Clone, Debug)]
pub struct Computed {
    /// `[C]`, or `[tokens · C]`; finite.
    pub rows: Arc<[f32]>,
    /// From queue to batch.
    pub queued: Duration,
    /// The batch.
    pub computed: Duration,
}

pub struct Waiter {
    pub since: Instant,
    pub answer: oneshot::Sender<Result<Computed, ComputeError>>,
}

pub struct Shared {
    pub settings: SchedulerSettings,
    pub metrics: ModelMetrics,
    pub state: Mutex<State>,
    /// Something is to be taken, or it is over.
    pub wake: Condvar,
    /// Ends loading and computing when it is over.
    pub stop: CancelToken,
}

pub struct State {
    pub queue: Queue<Waiter>,
    pub cache: Cache,
    /// What each replica computes now.
    pub running: Vec<Option<Running>>,
    pub phases: Vec<Phase>,
    /// Tokens that a batch of each replica may have.
    pub budgets: Vec<usize>,
    pub is_stopped: bool,
    pub last_request: RequestId,
}

pub struct Running {
    pub works: Vec<Work>,
    pub cancel: CancelToken,
}

impl State {
    /// Answers a text from the cache, or gives it back.
    pub fn answer_cached(&mut self, (work, waiter): (Work, Waiter)) -> Option<(Work, Waiter)> {
        let Some(rows) = self.cache.get(&work) else { return Some((work, waiter)) };
        let none = Duration::ZERO;
        // Who doesn't listen any more is not told.
        let _ = waiter.answer.send(Ok(Computed { rows, queued: none, computed: none }));
        None
    }

    pub fn available(&self) -> Result<(), SubmitError> {
        if self.is_stopped {
            return Err(SubmitError::Unavailable { reason: "the server shuts down".to_owned() });
        }
        match self.phases.iter().all(|phase| matches!(phase, Phase::Lost(_))) {
            true => Err(SubmitError::Unavailable { reason: NOT_LOADED.to_owned() }),
            false => Ok(()),
        }
    }

    /// Whether more waits than what the replicas take that are free, or soon will
    /// be: then one that is unloaded is worth loading.
    pub fn needs_another_replica(&self) -> bool {
        let is_free = |replica: &usize| match self.phases[*replica] {
            Phase::Ready(_) => self.running[*replica].is_none(),
            Phase::Loading => true,
            Phase::Unloaded | Phase::Lost(_) => false,
        };
        let free: Vec<usize> = (0..self.phases.len()).filter(is_free).collect();
        let tokens =
            free.iter().fold(0, |sum: usize, &free| sum.saturating_add(self.budgets[free]));
        self.queue.tokens() > tokens && self.queue.waiting_texts() > free.len()
    }
}

impl Shared {
    pub fn new(replicas: usize, settings: SchedulerSettings, metrics: ModelMetrics) -> Self {
        let state = State {
            queue: Queue::new(settings.queue),
            cache: Cache::new(settings.cache_bytes),
            running: (0..replicas).map(|_| None).collect(),
            phases: vec![Phase::Loading; replicas],
            budgets: vec![usize::MAX; replicas],
            is_stopped: false,
            last_request: 0,
        };
        let (state, stop) = (Mutex::new(state), CancelToken::default());
        Self { settings, metrics, state, wake: Condvar::new(), stop }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        self.stop.cancel();
        for running in state.running.iter().flatten() {
            running.cancel.cancel();
        }
        let waiting = state.queue.drain();
        drop(state);
        fail(waiting, &ComputeError::Unavailable { reason: "the server shuts down".to_owned() });
        self.wake.notify_all();
    }
}

/// Tells all of them the same. Who doesn't listen any more is not told.
pub fn fail(waiting: Vec<Waiter>, error: &ComputeError) {
    for waiter in waiting {
        let _ = waiter.answer.send(Err(error.clone()));
    }
}
