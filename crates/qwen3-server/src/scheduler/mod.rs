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
#[cfg(test)]
mod tests;
mod worker;

use crate::metrics::ModelMetrics;
use cache::Cache;
pub use errors::{ComputeError, ReplicaError, SubmitError};
use queue::{Queue, QueueFull, RequestId};
pub use queue::{QueueLimits, Work};
use qwen3_engine::{CancelToken, Error as EngineError, Rows};
use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use worker::Worker;

/// Why there are no answers, as clients hear it: the cause may name files of this
/// machine.
const NOT_LOADED: &str = "it isn't loaded; the server's log says why";

/// A network on a device.
pub trait Loaded: Send {
    /// For each sequence its last row, or all of them; see [`qwen3_engine::Network::rows`].
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
    /// Loading.
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

/// A request's place in the queue. Dropped before its end, the texts that
/// nobody else wants leave the queue, and their batch if it is all theirs.
pub struct Ticket {
    place: Place,
    answers: Vec<oneshot::Receiver<Result<Computed, ComputeError>>>,
}

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

struct Place {
    shared: Arc<Shared>,
    request: RequestId,
    works: HashSet<Work>,
}

struct Waiter {
    since: Instant,
    answer: oneshot::Sender<Result<Computed, ComputeError>>,
}

struct Shared {
    settings: SchedulerSettings,
    metrics: ModelMetrics,
    state: Mutex<State>,
    /// Something is to be taken, or it is over.
    wake: Condvar,
    /// Ends loading and computing when it is over.
    stop: CancelToken,
}

struct State {
    queue: Queue<Waiter>,
    cache: Cache,
    /// What each replica computes now.
    running: Vec<Option<Running>>,
    phases: Vec<Phase>,
    /// Tokens that a batch of each replica may have.
    budgets: Vec<usize>,
    is_stopped: bool,
    last_request: RequestId,
}

struct Running {
    works: Vec<Work>,
    cancel: CancelToken,
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
        let replicas = loaders.len();
        let shared = Arc::new(Shared {
            settings,
            metrics,
            state: Mutex::new(State {
                queue: Queue::new(settings.queue),
                cache: Cache::new(settings.cache_bytes),
                running: (0..replicas).map(|_| None).collect(),
                phases: vec![Phase::Loading; replicas],
                budgets: vec![usize::MAX; replicas],
                is_stopped: false,
                last_request: 0,
            }),
            wake: Condvar::new(),
            stop: CancelToken::default(),
        });
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
                let limits = self.limits();
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
        let place = Place { shared: shared.clone(), request, works: different };
        Ok(Ticket { place, answers })
    }

    /// Whether at least one replica works, or is about to.
    ///
    /// # Errors
    /// Why not.
    pub fn health(&self) -> Result<(), SubmitError> {
        self.shared.lock().available()
    }

    /// How much an empty queue takes.
    pub fn limits(&self) -> QueueLimits {
        self.shared.settings.queue
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

impl Ticket {
    /// The answers, in the order of the texts. Dropping the future gives the
    /// place in the queue up.
    pub async fn answers(mut self) -> Vec<Result<Computed, ComputeError>> {
        let mut answers = Vec::with_capacity(self.answers.len());
        for receiver in &mut self.answers {
            let gone = || ComputeError::Unavailable { reason: "the worker ended".to_owned() };
            answers.push(receiver.await.unwrap_or_else(|_| Err(gone())));
        }
        // Nothing is left to be given up.
        self.place.works.clear();
        answers
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.works.is_empty() {
            return;
        }
        let mut state = self.shared.lock();
        let before = state.queue.texts();
        state.queue.cancel(self.request, &self.works);
        self.shared.metrics.cancelled(before - state.queue.texts());
        self.shared.metrics.queue(state.queue.texts(), state.queue.tokens());
        for running in state.running.iter().flatten() {
            if state.queue.is_abandoned(&running.works) {
                running.cancel.cancel();
            }
        }
    }
}

impl State {
    /// Answers a text from the cache, or gives it back.
    fn answer_cached(&mut self, (work, waiter): (Work, Waiter)) -> Option<(Work, Waiter)> {
        let Some(rows) = self.cache.get(&work) else { return Some((work, waiter)) };
        let none = Duration::ZERO;
        // Who doesn't listen any more is not told.
        let _ = waiter.answer.send(Ok(Computed { rows, queued: none, computed: none }));
        None
    }

    fn available(&self) -> Result<(), SubmitError> {
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
    fn needs_another_replica(&self) -> bool {
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
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
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
fn fail(waiting: Vec<Waiter>, error: &ComputeError) {
    for waiter in waiting {
        let _ = waiter.answer.send(Err(error.clone()));
    }
}
