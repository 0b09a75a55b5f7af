//! What a request has of the scheduler until its texts are answered.

use super::errors::ComputeError;
use super::queue::{RequestId, Work};
use super::state::{Computed, Shared};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A request's place in the queue. Dropped before its end, the texts that
/// nobody else wants leave the queue, and their batch if it is all theirs.
pub struct Ticket {
    pub shared: Arc<Shared>,
    pub request: RequestId,
    /// Those of its texts that differ; none once all are answered.
    pub works: HashSet<Work>,
    pub answers: Vec<oneshot::Receiver<Result<Computed, ComputeError>>>,
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
        self.works.clear();
        answers
    }
}

impl Drop for Ticket {
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
