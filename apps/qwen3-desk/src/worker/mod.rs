//! What works behind the window: threads that take commands and send events.
//!
//! ```text
//! window ──Command──▶ indexing: files → passages → vectors → store, then the index in memory
//!        ──Ask──────▶ searching: query → vector → passages → reranked passages
//!        ──call─────▶ chores: downloads, checks of devices, the map, memory and processor
//!        ◀──Event───  all of them; and `Status`, which is always the newest
//! ```
//!
//! The window never waits for any of them.

mod chores;
mod compute;
mod event;
mod indexing;
mod scan;
mod searching;
mod shared;

#[cfg(test)]
pub use event::Download;
pub use event::{Activity, Ask, DeviceLine, Event, Finding, Found, Status};
pub use indexing::Command;
pub use searching::SHOWN;
pub use shared::{Machinery, Shared};

use crate::model::Choice;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// How long a window that is closed waits for its threads.
const PATIENCE: Duration = Duration::from_secs(3);
const NAP: Duration = Duration::from_millis(5);

/// The threads, as the window sees them. Dropping it ends them; what was computed is kept.
pub struct Worker {
    shared: Arc<Shared>,
    commands: Sender<Command>,
    events: Receiver<Event>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads begin with.
pub struct Start {
    pub folders: Vec<PathBuf>,
    pub choice: Choice,
    pub reranker: Option<Choice>,
    pub pace: crate::settings::Pace,
    pub is_paused: bool,
}

impl Worker {
    /// Starts the threads. `wake` is called when there is something new to show.
    pub fn start(
        machinery: Machinery,
        start: Start,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let (sender, events) = channel();
        let (commands, received) = channel();
        let shared = Arc::new(Shared::new(machinery, sender, Box::new(wake)));
        shared.searching.use_reranker(start.reranker.clone());
        let threads = vec![
            spawn({
                let shared = shared.clone();
                move || indexing::run(&shared, received, start)
            }),
            spawn({
                let shared = shared.clone();
                move || searching::run(&shared)
            }),
            spawn({
                let shared = shared.clone();
                move || chores::measure(&shared)
            }),
        ];
        Self { shared, commands, events, threads }
    }

    pub fn command(&self, command: Command) {
        if let Command::Use(_) = command {
            // What is being computed is of the model that goes.
            self.shared.cancel_computing();
        }
        self.shared.call();
        // The thread ends with the program only.
        let _ = self.commands.send(command);
    }

    /// Asks. What was asked before is given up.
    pub fn ask(&self, ask: Ask) {
        self.shared.searching.ask(ask);
    }

    /// Uses another reranker, or none.
    pub fn use_reranker(&self, choice: Option<Choice>) {
        self.shared.searching.use_reranker(choice);
    }

    /// What came since the last call.
    pub fn events(&self) -> Vec<Event> {
        self.events.try_iter().collect()
    }

    pub fn status(&self) -> Status {
        self.shared.status(|status| status.clone())
    }

    pub fn draw_map(&self) {
        chores::draw_map(&self.shared);
    }

    /// Tells which of the published models are here.
    pub fn look_for_models(&self) {
        chores::look_for_models(&self.shared);
    }

    /// Tells whether a folder or file has a model that can search.
    pub fn check_model(&self, model: &str) {
        chores::check_model(&self.shared, model);
    }

    /// Tells the text of a passage.
    pub fn read_passage(&self, passage: u128) {
        chores::read_passage(&self.shared, passage);
    }

    pub fn download(&self, model: &str) {
        chores::download(&self.shared, model);
    }

    pub fn cancel_download(&self, model: &str) {
        chores::cancel_download(&self.shared, model);
    }

    /// Lists the devices, and then what a check says of each.
    pub fn check_devices(&self) {
        chores::check_devices(&self.shared);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.end();
        let start = Instant::now();
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && start.elapsed() < PATIENCE {
                sleep(NAP);
            }
            // One that is in the middle of a large file ends with the process. What it wrote is
            // whole.
            if thread.is_finished() {
                // A thread that panicked has told so on standard error.
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
pub mod tests;
