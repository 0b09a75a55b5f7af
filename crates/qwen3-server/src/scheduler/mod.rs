//! The engine behind the server: texts as tokens in, rows out, from any number
//! of requests at the same time. It knows nothing of HTTP.
//!
//! ```text
//!  submit ──▶ Queue ──take──▶ worker thread of a replica ──▶ Loaded::rows
//!    │          ▲  fair, bounded, one entry per text              │
//!    │          └── cancel: the request was dropped               │
//!  Ticket ◀──────────── one-shot channel per text ────────────────┘
//! ```
//!
//! Batching is continuous: a device that is free takes what waits, up to its
//! budget of tokens, and never waits for more. Each text has a channel of its
//! own, so that answers can't be mixed up.

mod cache;
mod errors;
mod queue;
mod state;
#[cfg(test)]
mod tests;
mod ticket;
mod worker;

use crate::metrics::ModelMetrics;
pub use errors::{ComputeError, ReplicaError, SubmitError};
use queue::QueueFull;
pub use queue::{QueueLimits, Work};
use qwen3_engine::{CancelToken, Error as EngineError, Rows};
pub use state::Computed;
use state::{Shared, Waiter};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
pub use ticket::Ticket;
use tokio::sync::oneshot;
use worker::Worker;

/// A network on a device.
pub trait Loaded: Send {
    /// For each sequence its last row, or all of them; see [`qwen3_engine::Session::rows`].
    ///
    /// # Errors
    /// As there.
    fn rows(
        &self,
        batch: &[&[u32]],
        rows: Rows,
        cancel: &CancelToken,
    ) -> Result<Vec<Vec<f32>>, EngineError>;

    /// Tokens that it computes at one time.
    fn max_batch_tokens(&self) -> usize;

    /// Tokens that a sequence may have.
    fn max_tokens(&self) -> usize;

    /// The device and the precision of the weights, to show.
    fn name(&self) -> String;
}

/// Loads a replica, again and again if need be; `None` of a precise one means
/// that it would be no more precise.
pub type Load = Box<dyn Fn(Precision, &CancelToken) -> LoadResult + Send>;
type LoadResult = Result<Option<Box<dyn Loaded>>, EngineError>;

/// Which weights are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As chosen.
    Chosen,
    /// Float32, for texts that give NaN or infinity.
    Float32,
}

/// How the scheduler works.
#[derive(Clone, Copy, Debug)]
pub struct SchedulerSettings {
    /// How much may wait.
    pub queue: QueueLimits,
    /// Texts of a batch.
    pub max_batch_texts: usize,
    /// Bytes of rows that are kept; 0: none.
    pub cache_bytes: usize,
    /// After how long without work the device is freed.
    pub idle_unload: Option<Duration>,
    /// Whether a few tokens are computed after loading, so that the first
    /// request doesn't pay for what a device prepares.
    pub warm_up: bool,
}

/// What a replica is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Loading,
    /// Ready, with the device's name.
    Ready(String),
    /// Freed after a while without work; the next text loads it.
    Unloaded,
    /// Failed; it is being loaded again.
    Lost(String),
}

/// A look at the scheduler.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Texts without an answer.
    pub texts: usize,
    /// Tokens that wait.
    pub tokens: usize,
    /// What each replica is doing.
    pub replicas: Vec<Phase>,
    /// Tokens per second of the last batches.
    pub tokens_per_second: f64,
}

/// Shares the replicas of one model between requests.
pub struct Scheduler {
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl Scheduler {
    /// Loads a replica with each loader, and waits for all of them. Blocks.
    ///
    /// # Errors
    /// The first that a loader met with.
    pub fn start(
        loaders: Vec<Load>,
        settings: SchedulerSettings,
        metrics: ModelMetrics,
    ) -> Result<Self, ReplicaError> {
        let shared = Arc::new(Shared::new(loaders.len(), settings, metrics));
        let (loaded, results) = std::sync::mpsc::channel();
        let mut workers = vec![];
        for (replica, load) in loaders.into_iter().enumerate() {
            let worker = Worker::new(shared.clone(), replica, load);
            let loaded = loaded.clone();
            let thread = std::thread::Builder::new().name(format!("qwen3-replica-{replica}"));
            let spawned = thread.spawn(move || worker.run(move |result| drop(loaded.send(result))));
            workers.push(spawned.expect("the system has room for a thread"));
        }
        drop(loaded);
        let scheduler = Self { shared, workers: Mutex::new(workers) };
        // Dropping the scheduler ends the replicas that did load.
        results.into_iter().collect::<Result<Vec<()>, _>>()?;
        Ok(scheduler)
    }

    /// Queues the texts of one request.
    ///
    /// # Errors
    /// If too much waits, or no replica works.
    pub fn submit(&self, works: Vec<Work>) -> Result<Ticket, SubmitError> {
        let shared = &self.shared;
        let since = Instant::now();
        let (n_texts, n_tokens) =
            (works.len(), works.iter().map(|work| work.input_ids.len()).sum());
        let different: HashSet<Work> = works.iter().cloned().collect();
        let with_channel = |work| {
            let (answer, receiver) = oneshot::channel();
            ((work, Waiter { since, answer }), receiver)
        };
        let (mut waiting, answers): (Vec<_>, Vec<_>) = works.into_iter().map(with_channel).unzip();
        // What takes long is done: all others wait for the lock.
        let mut state = shared.lock();
        state.available()?;
        state.last_request += 1;
        let request = state.last_request;
        if state.cache.is_on() {
            waiting = waiting.into_iter().filter_map(|one| state.answer_cached(one)).collect();
        }
        let hits = n_texts - waiting.len();
        match state.queue.push(request, waiting) {
            Ok(joined) => shared.metrics.shared_work(hits, joined),
            Err(QueueFull::Always) => {
                let limits = shared.settings.queue;
                return Err(SubmitError::TooLarge { texts: n_texts, tokens: n_tokens, limits });
            }
            Err(QueueFull::Now) => {
                let retry_after = shared.metrics.time_for(state.queue.tokens());
                return Err(SubmitError::Overloaded { texts: state.queue.texts(), retry_after });
            }
        }
        shared.metrics.queue(state.queue.texts(), state.queue.tokens());
        drop(state);
        shared.wake.notify_all();
        Ok(Ticket { shared: shared.clone(), request, works: different, answers })
    }

    /// Whether at least one replica works, or is about to.
    ///
    /// # Errors
    /// Why not.
    pub fn health(&self) -> Result<(), SubmitError> {
        self.shared.lock().available()
    }

    /// How it works.
    pub fn settings(&self) -> SchedulerSettings {
        self.shared.settings
    }

    /// What is going on.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.shared.lock();
        Snapshot {
            texts: state.queue.texts(),
            tokens: state.queue.tokens(),
            replicas: state.phases.clone(),
            tokens_per_second: self.shared.metrics.tokens_per_second(),
        }
    }

    /// Tokens that a batch of the least able replica may have.
    pub fn max_batch_tokens(&self) -> usize {
        self.shared.lock().budgets.iter().copied().min().unwrap_or_default()
    }

    /// Ends all work, and waits for the replicas to be freed. What still waits
    /// fails. Blocks.
    pub fn stop(&self) {
        self.shared.stop();
        let workers =
            std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            // It caught its panics; one more says nothing new.
            let _ = worker.join();
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.stop();
    }
}
