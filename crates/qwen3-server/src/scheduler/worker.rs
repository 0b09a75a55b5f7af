//! The thread of a replica: it alone owns the network, loads it, computes
//! batches, and puts right what goes wrong.

use super::queue::Work;
use super::{
    Computed, Failure, Load, Loaded, Phase, Precision, Running, Shared, State, Trouble, fail,
};
use qwen3_engine::{CancelToken, Error as EngineError, Rows};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Tokens of the warm-up.
const WARM_UP_TOKENS: usize = 16;
/// Pauses between attempts to load a replica that failed double, in this range.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

pub(super) struct Worker {
    shared: Arc<Shared>,
    replica: usize,
    load: Load,
    network: Option<Box<dyn Loaded>>,
    /// For texts that give NaN; loaded when one does.
    precise: Option<Box<dyn Loaded>>,
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
        Self { shared, replica, load, network, precise }
    }

    /// Until it is over. `loaded` hears of the first load.
    pub fn run(mut self, loaded: impl FnOnce(Result<(), Trouble>)) {
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
    }

    /// Waits for work.
    fn next(&self) -> Next {
        let mut state = self.shared.lock();
        let since = Instant::now();
        loop {
            if state.is_stopped {
                return Next::Stop;
            }
            if !state.queue.is_empty() {
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

    fn load_once(&mut self) -> Result<(), Trouble> {
        self.enter(Phase::Loading);
        let started = Instant::now();
        let network = guarded(|| self.try_load(Precision::Chosen))?;
        let network = network.expect("only a precise one may be left out");
        let name = network.name();
        self.lower_budget(network.max_batch_tokens());
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
            network.rows(&[&[0; WARM_UP_TOKENS]], Rows::Last, &self.shared.stop)?;
        }
        Ok(network)
    }

    /// Loads again and again; `false`: it is over.
    fn load_until_it_works(&mut self) -> bool {
        let mut pause = RETRY.0;
        loop {
            let error = match self.load_once() {
                Ok(()) => return true,
                Err(error) => error.to_string(),
            };
            tracing::error!(replica = self.replica, error, "can't load");
            self.enter(Phase::Lost(error.clone()));
            let mut state = self.shared.lock();
            if state.available().is_err() {
                let waiting = state.queue.drain();
                fail(waiting, &Failure::Unavailable { reason: error });
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
            return self.answer_failure(works, &Failure::Unavailable { reason });
        };
        let batch: Vec<&[u32]> = works.iter().map(|work| &*work.input_ids).collect();
        let tokens: usize = batch.iter().map(|ids| ids.len()).sum();
        let started = Instant::now();
        let result = guarded(|| network.rows(&batch, works[0].rows, cancel));
        match result {
            Ok(rows) => {
                self.shared.metrics.batch(works.len(), tokens, started.elapsed());
                self.answer(works, rows, started);
            }
            Err(Trouble::Engine(EngineError::Cancelled)) => self.put_back(works),
            Err(Trouble::Engine(EngineError::OutOfMemory { .. })) if works.len() > 1 => {
                self.shared.metrics.out_of_memory();
                self.lower_budget(tokens / 2);
                tracing::warn!(replica = self.replica, tokens, "out of memory: smaller batches");
                let (left, right) = works.split_at(works.len() / 2);
                self.compute(left, cancel);
                self.compute(right, cancel);
            }
            Err(Trouble::Engine(EngineError::OutOfMemory { message, .. })) => {
                self.shared.metrics.out_of_memory();
                self.answer_failure(works, &Failure::OutOfMemory { message });
            }
            // Whose fault it is shows when each is alone.
            Err(Trouble::Engine(EngineError::NonFinite { .. })) if works.len() > 1 => {
                works.chunks(1).for_each(|work| self.compute(work, cancel));
            }
            Err(Trouble::Engine(EngineError::NonFinite { .. })) => {
                self.compute_precisely(&works[0], cancel)
            }
            Err(trouble) => {
                let message = trouble.to_string();
                tracing::error!(replica = self.replica, error = message, "the device failed");
                (self.network, self.precise) = (None, None);
                self.enter(Phase::Lost(message.clone()));
                self.answer_failure(works, &Failure::Device { message });
            }
        }
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
            Some(Err(Trouble::Engine(EngineError::Cancelled))) => self.put_back(works),
            _ => self.answer_failure(works, &Failure::NonFinite),
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

    fn lower_budget(&self, tokens: usize) {
        let mut state = self.shared.lock();
        let budget = &mut state.budgets[self.replica];
        *budget = tokens.clamp(1, *budget);
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

    fn answer_failure(&self, works: &[Work], failure: &Failure) {
        let mut state = self.shared.lock();
        let waiting = works.iter().flat_map(|work| state.queue.finish(work)).collect();
        fail(waiting, failure);
        self.shared.metrics.queue(state.queue.texts(), state.queue.tokens());
    }
}

/// A panic, which no engine should have, is an error like any other.
fn guarded<T>(call: impl FnOnce() -> Result<T, EngineError>) -> Result<T, Trouble> {
    let result = catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Trouble::Panic { message: text.unwrap_or("no message").to_owned() }
    })?;
    Ok(result?)
}
