//! One call at a time, in the order in which they came.

use crate::error::Error;
use crate::progress::CancelToken;
use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// How often a call that waits looks whether it was cancelled.
const PATIENCE: Duration = Duration::from_millis(100);

/// Something that calls use in turns. A mutex would give it to any of those
/// that wait, so that some would wait for ever.
pub(crate) struct Turns<T> {
    value: T,
    queue: Mutex<Queue>,
}

/// Whose turn it is, and who waits after that.
#[derive(Default)]
struct Queue {
    tickets: u64,
    calls: VecDeque<(u64, Thread)>,
}

impl<T> Turns<T> {
    pub fn new(value: T) -> Self {
        Self { value, queue: Mutex::default() }
    }

    /// Waits for this call's turn, which lasts until the guard is dropped.
    ///
    /// # Errors
    /// If the call is cancelled while it waits; it has left the queue then.
    pub fn take(&self, cancel: &CancelToken) -> Result<Turn<'_, T>, Error> {
        let mut queue = self.queue();
        queue.tickets += 1;
        let ticket = queue.tickets;
        queue.calls.push_back((ticket, thread::current()));
        while queue.calls.front().is_some_and(|(first, _)| *first != ticket) {
            if cancel.is_cancelled() {
                queue.calls.retain(|(waiting, _)| *waiting != ticket);
                return Err(Error::Cancelled);
            }
            drop(queue);
            thread::park_timeout(PATIENCE);
            queue = self.queue();
        }
        Ok(Turn { turns: self })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls that have a turn or wait for one.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.queue().calls.len()
    }
}

/// A call's turn.
pub(crate) struct Turn<'a, T> {
    turns: &'a Turns<T>,
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.turns.value
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let mut queue = self.turns.queue();
        queue.calls.pop_front();
        if let Some((_, next)) = queue.calls.front() {
            next.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    /// Waits until so many calls are in the queue.
    fn wait_for(turns: &Turns<Mutex<Vec<usize>>>, calls: usize) {
        while turns.len() != calls {
            thread::yield_now();
        }
    }

    #[test]
    fn a_thousand_calls_have_their_turns_in_the_order_in_which_they_came() {
        let (turns, inside) = (Turns::new(Mutex::new(vec![])), AtomicUsize::new(0));
        thread::scope(|scope| {
            let first = turns.take(&CancelToken::default()).unwrap();
            for call in 0..1_000 {
                let (turns, inside) = (&turns, &inside);
                scope.spawn(move || {
                    let turn = turns.take(&CancelToken::default()).unwrap();
                    assert_eq!(inside.fetch_add(1, SeqCst), 0, "nobody else");
                    turn.lock().unwrap().push(call);
                    inside.fetch_sub(1, SeqCst);
                });
                wait_for(turns, call + 2);
            }
            drop(first);
        });
        assert_eq!(
            *turns.take(&CancelToken::default()).unwrap().lock().unwrap(),
            Vec::from_iter(0..1_000)
        );
    }

    #[test]
    fn a_call_that_is_cancelled_leaves_the_queue_and_nobody_else_does() {
        let turns = Turns::new(Mutex::new(vec![]));
        let tokens: [CancelToken; 3] = Default::default();
        thread::scope(|scope| {
            let first = turns.take(&CancelToken::default()).unwrap();
            let calls = tokens.each_ref().map(|token| {
                let (turns, before) = (&turns, turns.len());
                let call = scope.spawn(move || turns.take(token).map(drop));
                wait_for(turns, before + 1);
                call
            });
            tokens[1].cancel();
            wait_for(&turns, 3);
            drop(first);
            let ends = calls.map(|call| call.join().unwrap());
            assert!(matches!(ends, [Ok(()), Err(Error::Cancelled), Ok(())]), "{ends:?}");
        });
        assert_eq!(turns.len(), 0);
    }

    #[test]
    fn a_panic_ends_a_turn() {
        let turns = Turns::new(());
        let panicked = thread::scope(|scope| {
            let call = scope.spawn(|| {
                let _turn = turns.take(&CancelToken::default());
                panic!("in its turn");
            });
            call.join().is_err()
        });
        assert!(panicked && turns.take(&CancelToken::default()).is_ok());
    }
}
