//! The thread of a replica: it alone owns the network, loads it, computes
//! batches, and puts right what goes wrong.

mod batch;

use super::errors::{ComputeError, ReplicaError};
use super::state::{NOT_LOADED, Shared, State, fail};
use super::{Load, Loaded, Phase, Precision};
use qwen3_engine::{Error as EngineError, Rows};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Tokens of the warm-up, where the model takes so many.
const WARM_UP_TOKENS: usize = 16;
/// Pauses between attempts to load a replica that failed double, in this range.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

pub struct Worker {
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

    fn set_budget(&self, change: impl FnOnce(usize) -> usize) {
        let mut state = self.shared.lock();
        let budget = &mut state.budgets[self.replica];
        *budget = change(*budget).max(1);
        self.shared.metrics.batch_budget(*budget);
    }
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
