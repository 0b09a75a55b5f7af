//! A batch: it is computed, whatever it takes, and everybody who waits for one
//! of its texts gets an answer.

use super::{Worker, guarded};
use crate::scheduler::errors::{ComputeError, ReplicaError};
use crate::scheduler::queue::Work;
use crate::scheduler::state::{Running, fail};
use crate::scheduler::{Computed, Phase, Precision};
use qwen3_engine::{CancelToken, Error as EngineError};
use std::sync::Arc;
use std::time::Instant;

/// Batches that fit, one after the other, before larger ones are tried again.
const GOOD_BATCHES: usize = 16;

impl Worker {
    /// Takes what waits, up to the budget, and computes it. The engine plans batches too, but it
    /// makes one of these texts: the budget is never more than its own.
    pub fn compute_batch(&mut self) {
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
        match guarded(|| network.rows(&batch, works[0].rows, cancel)) {
            Ok(rows) => {
                self.shared.metrics.batch(works.len(), tokens, started.elapsed());
                self.answer(works, rows, started);
                self.fitted();
            }
            Err(ReplicaError::Engine(error)) => self.recover(error, works, cancel),
            Err(panic) => self.lose(works, &panic),
        }
    }

    /// Goes on with these texts after an error.
    fn recover(&mut self, error: EngineError, works: &[Work], cancel: &CancelToken) {
        match error {
            EngineError::Cancelled => self.put_back(works),
            EngineError::OutOfMemory { message, .. } => {
                self.shared.metrics.out_of_memory();
                if works.len() == 1 {
                    return self.answer_failure(works, &ComputeError::OutOfMemory { message });
                }
                self.did_not_fit(works);
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

    /// After a batch that was out of memory.
    fn did_not_fit(&mut self, works: &[Work]) {
        let tokens: usize = works.iter().map(|work| work.input_ids.len()).sum();
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
