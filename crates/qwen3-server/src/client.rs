//! What is known of a connection, and how long it may go on so: the one place
//! that decides when a client is given up.

use crate::metrics::Metrics;
use crate::progress::{Progress, SHORTEST, after};
use crate::settings::Timeouts;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// How long a connection may take to end after it was asked to.
const PARTING: Duration = Duration::from_secs(1);

/// One connection, as seen by all that have to do with it.
pub struct Client {
    state: Mutex<State>,
    timeouts: Timeouts,
    metrics: Metrics,
    /// There are too many, and this one was chosen.
    crowded: Notify,
}

struct State {
    /// Requests without a whole answer.
    open: usize,
    /// Those of them whose bodies aren't here yet.
    arriving: usize,
    /// What is awaited while none is open, and since when.
    phase: Phase,
    since: Instant,
    /// Since when the system takes no more bytes.
    blocked: Option<Instant>,
    /// The answer of HTTP/1 that is on its way.
    answer: Progress,
    is_http2: bool,
    /// It was asked to end.
    is_leaving: bool,
}

/// What is awaited of a client, the most dispensable first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The client closes its side.
    Close,
    /// The rest of a head, or the first one.
    Head,
    /// The next request.
    Request,
    /// The rest of a request.
    Body,
}

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It finishes what is open, and takes no more.
    Leave,
    /// It is dropped.
    End,
}

/// What is to be done at some time, and what to call that if it's the client's doing.
struct Due {
    at: Instant,
    event: Event,
    reason: Option<&'static str>,
}

/// A body that isn't here yet, until this is dropped.
pub struct Arriving(Arc<Client>);

/// A request without a whole answer, until this is dropped.
pub struct Open {
    client: Arc<Client>,
    progress: Progress,
}

impl Client {
    /// One that has just come.
    pub fn new(timeouts: Timeouts, metrics: Metrics) -> Self {
        let state = State {
            open: 0,
            arriving: 0,
            phase: Phase::Head,
            since: Instant::now(),
            blocked: None,
            answer: Progress::default(),
            is_http2: false,
            is_leaving: false,
        };
        Self { state: Mutex::new(state), timeouts, metrics, crowded: Notify::new() }
    }

    /// A request has begun.
    pub fn asks(self: &Arc<Self>, is_http2: bool) -> Open {
        let mut state = self.state();
        state.open += 1;
        state.is_http2 = is_http2;
        state.answer = Progress::default();
        Open { client: self.clone(), progress: state.answer.clone() }
    }

    /// The body of a request is awaited, until this is dropped.
    pub fn sends_body(self: &Arc<Self>) -> Arriving {
        self.state().arriving += 1;
        Arriving(self.clone())
    }

    /// The progress of the last request's answer.
    pub fn progress(&self) -> Progress {
        self.state().answer.clone()
    }

    /// Bytes came.
    pub fn sent(&self) {
        let mut state = self.state();
        // In HTTP/2 they can be anything, such as a ping.
        if state.open == 0 && state.phase == Phase::Request && !state.is_http2 {
            state.enter(Phase::Head);
        }
    }

    /// The system took bytes, or takes none just now.
    pub fn writes(&self, is_blocked: bool) {
        let mut state = self.state();
        match is_blocked {
            true => drop(state.blocked.get_or_insert_with(Instant::now)),
            false => state.blocked = None,
        }
    }

    /// Everything was sent to the client.
    pub fn closes(&self) {
        self.state().enter(Phase::Close);
    }

    /// Counts that it is there, or no more.
    pub fn counts(&self, more: i64) {
        self.metrics.connections(more);
    }

    /// How long it may take.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Counts that it, or a part of it, was given up.
    pub fn fails(&self, reason: &'static str) {
        self.metrics.connection_dropped(reason);
    }

    /// Whether it was asked to end.
    pub fn is_leaving(&self) -> bool {
        self.state().is_leaving
    }

    /// What is awaited of it, and since when; `None`: it waits for an answer, or was asked to end.
    pub fn awaited(&self) -> Option<(Phase, Instant)> {
        let state = self.state();
        state.awaited().filter(|_| !state.is_leaving)
    }

    /// Asks it to end, because there are too many.
    pub fn give_way(&self) {
        self.fails("crowded");
        self.state().leave();
        self.crowded.notify_one();
    }

    /// Ready as soon as something has to be done: the server stops, has too many connections,
    /// or the client takes too long.
    pub async fn event(&self, stop: &mut watch::Receiver<bool>) -> Event {
        loop {
            let is_leaving = self.is_leaving();
            tokio::select! {
                // The server itself being gone is as good.
                _ = stop.wait_for(|stops| *stops), if !is_leaving => return self.leave(),
                () = self.crowded.notified() => return self.make_room(),
                () = tokio::time::sleep_until(self.look_again().into()) => {}
            }
            if let Some(event) = self.is_due() {
                return event;
            }
        }
    }

    fn is_due(&self) -> Option<Event> {
        let due = self.state().due(&self.timeouts).filter(|due| due.at <= Instant::now())?;
        if let Some(reason) = due.reason {
            self.fails(reason);
        }
        Some(if due.event == Event::Leave { self.leave() } else { Event::End })
    }

    fn leave(&self) -> Event {
        self.state().leave();
        Event::Leave
    }

    fn make_room(&self) -> Event {
        // A request may have come just now.
        if self.state().awaited().is_some() { Event::End } else { Event::Leave }
    }

    /// When the clock has to be looked at again. What happens in between allows at least the
    /// shortest of all times from then on, so a look after that is never late.
    fn look_again(&self) -> Instant {
        let state = self.state();
        let Timeouts { head, keep_alive, write } = self.timeouts;
        let shortest = if state.is_leaving { PARTING } else { head.min(keep_alive).min(write) };
        let latest = after(Instant::now(), shortest.max(SHORTEST));
        state.due(&self.timeouts).map_or(latest, |due| due.at.min(latest))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        (self.phase, self.since) = (phase, Instant::now());
    }

    fn leave(&mut self) {
        if !self.is_leaving {
            (self.is_leaving, self.since) = (true, Instant::now());
        }
    }

    fn awaited(&self) -> Option<(Phase, Instant)> {
        match (self.open, self.arriving) {
            (0, _) => Some((self.phase, self.since)),
            (open, arriving) => (open == arriving).then_some((Phase::Body, self.since)),
        }
    }

    /// What comes next if the client goes on to do nothing.
    fn due(&self, timeouts: &Timeouts) -> Option<Due> {
        let due = |since, timeout, event, reason| Due { at: after(since, timeout), event, reason };
        let is_quiet = self.open == 0 && self.blocked.is_none();
        let (since, head) = (self.since, timeouts.head);
        let quiet = is_quiet.then(|| match self.phase {
            _ if self.is_leaving => due(since, PARTING, Event::End, None),
            Phase::Close => due(since, head, Event::End, None),
            Phase::Head => due(since, head, Event::End, Some("head")),
            Phase::Request | Phase::Body => {
                due(since, timeouts.keep_alive, Event::Leave, Some("idle"))
            }
        });
        let stuck = self.answer.since().filter(|_| !self.is_http2);
        let write = [self.blocked, stuck].into_iter().flatten().min();
        let write = write.map(|since| due(since, timeouts.write, Event::End, Some("write")));
        [quiet, write].into_iter().flatten().min_by_key(|due| due.at)
    }
}

impl Open {
    /// The next part of its answer is asked for: those before are on their way.
    pub fn moves(&self) {
        self.progress.moves();
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.0.state().arriving -= 1;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.progress.ends();
        let mut state = self.client.state();
        state.open -= 1;
        if state.open == 0 {
            state.enter(Phase::Request);
        }
    }
}
