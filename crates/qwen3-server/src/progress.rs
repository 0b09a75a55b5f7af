//! Whether an answer is taken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Clocks aren't looked at more often.
pub const SHORTEST: Duration = Duration::from_millis(10);

/// When an answer moved last; `None` inside: there is none on its way.
#[derive(Clone, Default)]
pub struct Progress(Arc<Mutex<Option<Instant>>>);

impl Progress {
    /// Since when it is where it is.
    pub fn since(&self) -> Option<Instant> {
        *self.moved()
    }

    /// The next part of the answer is asked for: those before are on their way.
    pub fn moves(&self) {
        *self.moved() = Some(Instant::now());
    }

    /// Nothing is on its way any more.
    pub fn ends(&self) {
        *self.moved() = None;
    }

    fn moved(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready if an answer hasn't moved for so long.
    pub async fn stops(&self, timeout: Duration) {
        loop {
            let due = after(self.since().unwrap_or_else(Instant::now), timeout.max(SHORTEST));
            tokio::time::sleep_until(due.into()).await;
            if self.since().is_some_and(|since| since.elapsed() >= timeout) {
                return;
            }
        }
    }
}

/// A time may be set to any number of years.
pub fn after(since: Instant, duration: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    since + duration.min(YEAR)
}
