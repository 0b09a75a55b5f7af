//! The thread of a replica: it alone owns the network, loads it, computes
//! batches, and puts right what goes wrong.

use super::queue::Work;
use super::{
    ComputeError, Computed, Load, Loaded, NOT_LOADED, Phase, Precision, ReplicaError, Running,
    Shared, State, fail,
};
use qwen3_engine::{CancelToken, Error as EngineError, Rows};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Tokens of the warm-up, where the model takes so many.
const WARM_UP_TOKENS: usize = 16;
/// Batches that fit, one after the other, before larger ones are tried again.
const GOOD_BATCHES: usize = 16;
/// Pauses between attempts to load a replica that failed double, in this range.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

pub(super) struct Worker {
    shared: Arc<Shared>,
    replica: usize,
    load: Load,
    network: Option<Box<dyn Loaded>>,
    /// For texts that give NaN; loaded when one does.
    precise: Option<Box<dyn Loaded>>,
    /// Batches that fitted since one didn't, or since the budget was raised.
    good_batches: usize,
}

/// What there is to do.
enum Next {
    Compute,
    Unload,
    Stop,
}

impl Worker {
    pub fn new(shared: Arc<Shared>, replica: usize, load: Load) -> Self {
        let (network, precise) = (None, None);
        Self { shared, replica, load, network, precise, good_batches: 0 }
    }

    /// Until it is over. `loaded` hears of the first load.
    pub fn run(mut self, loaded: impl FnOnce(Result<(), ReplicaError>)) {
        let first = self.load_once();
        let failed = first.is_err();
        loaded(first);
        if failed {
            return;
        }
        loop {
            match self.next() {
                Next::Stop => return,
                Next::Unload => {
                    let model = self.shared.metrics.name();
                    tracing::info!(
                        model,
                        replica = self.replica,
                        "unloaded after a while without work"
                    );
                    (self.network, self.precise) = (None, None);
                    self.enter(Phase::Unloaded);
                }
                Next::Compute => {
                    if self.network.is_none() && !self.load_until_it_works() {
                        return;
                    }
                    self.compute_batch();
                }
            }
        }
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.shared.lock();
        state.phases[self.replica] = phase;
        let ready = state.phases.iter().filter(|phase| matches!(phase, Phase::Ready(_))).count();
        self.shared.metrics.replicas_ready(ready);
        drop(state);
        // What this replica doesn't take may be for another one.
        self.shared.wake.notify_all();
    }

    /// Waits for work.
    fn next(&self) -> Next {
        let mut state = self.shared.lock();
        let since = Instant::now();
        loop {
            if state.is_stopped {
                return Next::Stop;
            }
            let is_able = |state: &State| self.network.is_some() || state.needs_another_replica();
            if state.queue.tokens() > 0 && is_able(&state) {
                if self.network.is_none() {
                    // At once, so that no other one is loaded for the same texts.
                    state.phases[self.replica] = Phase::Loading;
                }
                return Next::Compute;
            }
            let idle_unload = self.shared.settings.idle_unload.filter(|_| self.network.is_some());
            let Some(idle_unload) = idle_unload else {
                state = self.shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(left) = idle_unload.checked_sub(since.elapsed()) else {
                return Next::Unload;
            };
            state = self.wait(state, left);
        }
    }

    fn wait<'s>(
        &'s self,
        state: MutexGuard<'s, State>,
        timeout: Duration,
    ) -> MutexGuard<'s, State> {
        let woken = self.shared.wake.wait_timeout(state, timeout);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    fn load_once(&mut self) -> Result<(), ReplicaError> {
        self.enter(Phase::Loading);
        let started = Instant::now();
        let network = guarded(|| self.try_load(Precision::Chosen))?;
        let network = network.expect("only a precise one may be left out");
        let name = network.name();
        self.set_budget(|_| network.max_batch_tokens());
        self.network = Some(network);
        self.enter(Phase::Ready(name.clone()));
        let seconds = started.elapsed().as_secs_f64();
        let model = self.shared.metrics.name();
        tracing::info!(model, replica = self.replica, device = name, seconds, "loaded");
        Ok(())
    }

    fn try_load(&self, precision: Precision) -> Result<Option<Box<dyn Loaded>>, EngineError> {
        let network = (self.load)(precision, &self.shared.stop)?;
        if let Some(network) = network.as_ref().filter(|_| self.shared.settings.warm_up) {
            let warm_up = vec![0; WARM_UP_TOKENS.min(network.max_tokens())];
            network.rows(&[&warm_up], Rows::Last, &self.shared.stop)?;
        }
        Ok(network)
    }

    /// Loads again and again; `false`: it is over.
    fn load_until_it_works(&mut self) -> bool {
        let mut pause = RETRY.0;
        let mut told = String::new();
        loop {
            let error = match self.load_once() {
                Ok(()) => return true,
                Err(error) => with_causes(&error),
            };
            // What may go on for days is told once.
            if told != error {
                tracing::error!(replica = self.replica, error, "can't load; trying again");
                told.clone_from(&error);
            }
            self.enter(Phase::Lost(error));
            let mut state = self.shared.lock();
            if state.available().is_err() {
                let waiting = state.queue.drain();
                fail(waiting, &ComputeError::Unavailable { reason: NOT_LOADED.to_owned() });
            }
            let until = Instant::now() + pause;
            while let Some(left) = until.checked_duration_since(Instant::now())
                && !state.is_stopped
            {
                state = self.wait(state, left);
            }
            if state.is_stopped {
                return false;
            }
            pause = (2 * pause).min(RETRY.1);
        }
    }

    fn compute_batch(&mut self) {
        let (works, cancel) = {
            let mut state = self.shared.lock();
            let max_texts = self.shared.settings.max_batch_texts;
            let max_tokens = state.budgets[self.replica];
            let works = state.queue.take(max_tokens, max_texts);
            let cancel = CancelToken::default();
            let running = Running { works: works.clone(), cancel: cancel.clone() };
            state.running[self.replica] = (!works.is_empty()).then_some(running);
            self.shared.metrics.queue(state.queue.texts(), state.queue.tokens());
            (works, cancel)
        };
        if !works.is_empty() {
            self.compute(&works, &cancel);
            self.shared.lock().running[self.replica] = None;
        }
        if self.network.is_none() {
            self.shared.metrics.rebuilt();
            self.load_until_it_works();
        }
    }

    /// Computes these texts, whatever it takes, and answers all who wait.
    fn compute(&mut self, works: &[Work], cancel: &CancelToken) {
        let Some(network) = &self.network else {
            let reason = "its device was lost with the texts before it".to_owned();
            return self.answer_failure(works, &ComputeError::Unavailable { reason });
        };
        let batch: Vec<&[u32]> = works.iter().map(|work| &*work.input_ids).collect();
        let tokens: usize = batch.iter().map(|ids| ids.len()).sum();
        let started = Instant::now();
        let error = match guarded(|| network.rows(&batch, works[0].rows, cancel)) {
            Ok(rows) => {
                self.shared.metrics.batch(works.len(), tokens, started.elapsed());
                self.answer(works, rows, started);
                return self.fitted();
            }
            Err(ReplicaError::Engine(error)) => error,
            Err(panic) => return self.lose(works, &panic),
        };
        match error {
            EngineError::Cancelled => self.put_back(works),
            EngineError::OutOfMemory { message, .. } => {
                self.shared.metrics.out_of_memory();
                if works.len() == 1 {
                    return self.answer_failure(works, &ComputeError::OutOfMemory { message });
                }
                self.did_not_fit(tokens);
                self.compute_halves(works, cancel);
            }
            // Whose fault it is shows when each is alone.
            EngineError::NonFinite { .. } if works.len() > 1 => {
                works.chunks(1).for_each(|work| self.compute(work, cancel));
            }
            EngineError::NonFinite { .. } => self.compute_precisely(&works[0], cancel),
            // The same; it shows before anything is computed, so halves are cheap.
            error if error.is_of_input() && works.len() > 1 => self.compute_halves(works, cancel),
            error if error.is_of_input() => {
                self.answer_failure(works, &ComputeError::Input { reason: error.to_string() });
            }
            error => self.lose(works, &ReplicaError::Engine(error)),
        }
    }

    fn compute_halves(&mut self, works: &[Work], cancel: &CancelToken) {
        let (left, right) = works.split_at(works.len() / 2);
        self.compute(left, cancel);
        self.compute(right, cancel);
    }

    /// Gives a network up that can't be relied on any more.
    fn lose(&mut self, works: &[Work], error: &ReplicaError) {
        let message = error.to_string();
        tracing::error!(replica = self.replica, error = message, "the device failed");
        (self.network, self.precise) = (None, None);
        self.enter(Phase::Lost(message.clone()));
        self.answer_failure(works, &ComputeError::Device { message });
    }

    /// Once more in float32 for a text that gave NaN or infinity.
    fn compute_precisely(&mut self, work: &Work, cancel: &CancelToken) {
        self.shared.metrics.non_finite();
        let started = Instant::now();
        if self.precise.is_none() {
            match guarded(|| self.try_load(Precision::Float32)) {
                Ok(precise) => self.precise = precise,
                Err(error) => tracing::warn!(error = error.to_string(), "can't load in float32"),
            }
        }
        let works = std::slice::from_ref(work);
        let rows = self
            .precise
            .as_ref()
            .map(|network| guarded(|| network.rows(&[&work.input_ids], work.rows, cancel)));
        match rows {
            Some(Ok(rows)) => self.answer(works, rows, started),
            Some(Err(ReplicaError::Engine(EngineError::Cancelled))) => self.put_back(works),
            failed => {
                self.precise = self.precise.take().filter(|_| is_intact(failed.as_ref()));
                self.answer_failure(works, &ComputeError::NonFinite);
            }
        }
    }

    /// For those who came while a batch was cancelled; at the end there is nobody.
    fn put_back(&self, works: &[Work]) {
        let mut state = self.shared.lock();
        match state.is_stopped {
            true => drop(works.iter().map(|work| state.queue.finish(work)).count()),
            false => works.iter().for_each(|work| state.queue.put_back(work)),
        }
    }

    /// After a batch of so many tokens that was out of memory.
    fn did_not_fit(&mut self, tokens: usize) {
        tracing::warn!(replica = self.replica, tokens, "out of memory: smaller batches");
        self.good_batches = 0;
        self.set_budget(|budget| budget.min(tokens / 2));
    }

    /// After a batch that had room: others may have freed the memory that lacked
    /// once, so larger batches are tried now and then.
    fn fitted(&mut self) {
        self.good_batches += 1;
        if self.good_batches < GOOD_BATCHES {
            return;
        }
        self.good_batches = 0;
        if let Some(network) = &self.network {
            let most = network.max_batch_tokens();
            self.set_budget(|budget| budget.saturating_mul(2).min(most));
        }
    }

    fn set_budget(&self, change: impl FnOnce(usize) -> usize) {
        let mut state = self.shared.lock();
        let budget = &mut state.budgets[self.replica];
        *budget = change(*budget).max(1);
        self.shared.metrics.batch_budget(*budget);
    }

    fn answer(&self, works: &[Work], rows: Vec<Vec<f32>>, started: Instant) {
        let computed = started.elapsed();
        for (work, rows) in works.iter().zip(rows) {
            let rows: Arc<[f32]> = rows.into();
            let waiting = {
                let mut state = self.shared.lock();
                if state.cache.is_on() {
                    state.cache.put(work, &rows);
                    self.shared.metrics.cache_bytes(state.cache.bytes());
                }
                state.queue.finish(work)
            };
            for waiter in waiting {
                let queued = started.saturating_duration_since(waiter.since);
                let rows = rows.clone();
                let _ = waiter.answer.send(Ok(Computed { rows, queued, computed }));
            }
        }
        let state = self.shared.lock();
        self.shared.metrics.queue(state.queue.texts(), state.queue.tokens());
    }

    fn answer_failure(&self, works: &[Work], error: &ComputeError) {
        let mut state = self.shared.lock();
        let waiting = works.iter().flat_map(|work| state.queue.finish(work)).collect();
        fail(waiting, error);
        self.shared.metrics.queue(state.queue.texts(), state.queue.tokens());
    }
}

/// Whether a network can still be used after this.
fn is_intact<T>(result: Option<&Result<T, ReplicaError>>) -> bool {
    use EngineError::{NonFinite, OutOfMemory};
    matches!(result, Some(Err(ReplicaError::Engine(NonFinite { .. } | OutOfMemory { .. }))))
}

/// The message and those of its causes.
fn with_causes(error: &ReplicaError) -> String {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

/// A panic, which no engine should have, is an error like any other.
fn guarded<T>(call: impl FnOnce() -> Result<T, EngineError>) -> Result<T, ReplicaError> {
    let result = catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        ReplicaError::Panic { message: text.unwrap_or("no message").to_owned() }
    })?;
    Ok(result?)
}
