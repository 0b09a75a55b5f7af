//! The thread that keeps the index true: it looks through folders, and computes vectors of what
//! is new. One step takes about a tenth of a second, so commands are heard soon.

mod opening;

use super::Start;
use super::compute::{Compute, answers_still};
use super::event::{Activity, Event};
use super::scan::Scan;
use super::shared::Shared;
use crate::documents::Splitter;
use crate::folders::{Watcher, folder_of};
use crate::model::Choice;
use crate::settings::Pace;
use crate::store::StoreError;
use qwen3_engine::Error;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use thread_priority::{ThreadPriority, set_current_thread_priority};

/// Between two looks at what has changed.
const LOOK: Duration = Duration::from_millis(200);
/// From the first to the later attempts after something went wrong.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// Passages that wait for their vectors before the next file is read.
const ENOUGH: usize = 512;

/// What the thread is told.
#[derive(Debug)]
pub enum Command {
    /// Search these folders.
    Folders(Vec<PathBuf>),
    /// Look through all folders again.
    Rescan,
    Pause(bool),
    Pace(Pace),
    /// Compute vectors with another model, or on another device.
    Use(Choice),
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Model(#[from] Error),
    #[error("the index is being opened")]
    NoStore,
}

struct Indexing<'s> {
    shared: &'s Shared,
    folders: Vec<PathBuf>,
    choice: Choice,
    pace: Pace,
    is_paused: bool,
    /// Whether the thread has the lowest priority.
    has_low_priority: bool,
    watcher: Watcher,
    splitter: Option<Splitter>,
    scan: Scan,
    compute: Compute,
    /// Whether the index may have files of folders that were taken away.
    is_untidy: bool,
    /// Not before this.
    rest_until: Instant,
    retry: Duration,
}

/// Indexes until the program ends.
pub fn run(shared: &Shared, commands: Receiver<Command>, start: Start) {
    let Start { folders, choice, pace, is_paused, .. } = start;
    let mut indexing = Indexing {
        shared,
        folders,
        choice,
        pace,
        is_paused,
        has_low_priority: false,
        watcher: Watcher::new(),
        splitter: None,
        scan: Scan::default(),
        compute: Compute::default(),
        is_untidy: false,
        rest_until: Instant::now(),
        retry: FIRST_RETRY,
    };
    indexing.watcher.watch(&indexing.folders);
    while !shared.ends() {
        let is_idle = indexing.step_or_recover();
        let pause = indexing.rest_until.saturating_duration_since(Instant::now());
        let pause = if is_idle { pause.max(LOOK) } else { pause.min(LOOK) };
        match commands.recv_timeout(pause) {
            Ok(command) => indexing.follow(command),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // Vectors that were computed are kept.
    if let Err(error) = indexing.compute.save(shared) {
        shared.tell(Event::Told(error.to_string()));
    }
}

impl Indexing<'_> {
    fn follow(&mut self, command: Command) {
        self.shared.hear();
        match command {
            Command::Folders(folders) => {
                self.watcher.watch(&folders);
                let before = std::mem::replace(&mut self.folders, folders);
                // People wait for those that are new.
                let (old, new): (Vec<_>, Vec<_>) =
                    self.folders.iter().cloned().partition(|folder| before.contains(folder));
                self.scan.restart(&[new, old].concat());
                self.is_untidy |= before.iter().any(|of| folder_of(&self.folders, of).is_none());
            }
            Command::Rescan => {
                self.watcher.watch(&self.folders);
                self.scan.restart(&self.folders);
            }
            Command::Pause(is_paused) => self.is_paused = is_paused,
            Command::Pace(pace) => self.pace = pace,
            Command::Use(choice) => {
                self.choice = choice;
                self.compute.forget_model();
            }
        }
        self.rest_until = Instant::now();
        self.retry = FIRST_RETRY;
    }

    /// Whether there was nothing to do.
    fn step_or_recover(&mut self) -> bool {
        if Instant::now() < self.rest_until {
            return false;
        }
        match self.step() {
            Ok(is_idle) => {
                self.retry = FIRST_RETRY;
                is_idle
            }
            Err(Trouble::Model(Error::Cancelled)) => false,
            Err(trouble) => {
                self.recover(&trouble);
                false
            }
        }
    }

    fn recover(&mut self, trouble: &Trouble) {
        match trouble {
            Trouble::Store(error) => {
                self.shared.set_store(None);
                if !(error.is_damage() && self.put_aside(error)) {
                    // So that it can be searched meanwhile. If not, it is tried again below.
                    let _ = self.open_store();
                    self.activity(Activity::Waiting(error.to_string()));
                }
            }
            Trouble::Model(error) => {
                self.compute.forget_model();
                // A store that fails is told by the next step.
                let _ = answers_still(self.shared, &self.choice);
                self.shared.lack_model(error.to_string());
                self.activity(Activity::Waiting(error.to_string()));
            }
            Trouble::NoStore => {}
        }
        self.rest_until = Instant::now() + self.retry;
        self.retry = (self.retry * 2).min(LAST_RETRY);
    }

    fn activity(&self, activity: Activity) {
        let is_new = self.shared.status(|status| {
            let is_new = status.activity != activity;
            status.activity = activity;
            is_new
        });
        if is_new {
            self.shared.wake();
        }
    }

    fn step(&mut self) -> Result<bool, Trouble> {
        self.check_store()?;
        self.open_store()?;
        self.lower_priority();
        if self.is_untidy {
            self.tidy_up()?;
            self.shared.searching.again();
        }
        let changed = self.watcher.changed(|folder| self.scan.has(folder));
        self.scan.again(&changed);
        if self.shared.takes_lost_device() {
            self.compute.forget_model();
        }
        if !self.compute.is_loaded() {
            self.load_model()?;
        }
        if self.is_paused {
            self.compute.save(self.shared)?;
            self.activity(Activity::Paused);
            return Ok(true);
        }
        let start = Instant::now();
        self.shared.status(|status| status.is_reading = self.scan.is_active());
        if self.scan.is_active() && self.compute.pending() < ENOUGH {
            self.look()?;
        } else if self.compute.pending() > 0 {
            self.activity(Activity::Computing);
            self.compute.step(self.shared)?;
            self.rest_until = Instant::now() + start.elapsed() * self.pace.rest();
        } else if self.compute.is_dirty() {
            self.compute.save(self.shared)?;
            self.compute.answer(self.shared)?;
        } else {
            self.activity(Activity::UpToDate);
            return Ok(true);
        }
        Ok(false)
    }

    /// From when the index is open: nobody likes to wait for that.
    fn lower_priority(&mut self) {
        if !self.has_low_priority && self.pace != Pace::Full {
            // Threads of a model that this one loads are as patient as it is, where the system
            // hands that on. One that doesn't allow it indexes at the usual priority.
            let _ = set_current_thread_priority(ThreadPriority::Min);
            self.has_low_priority = true;
        }
    }

    fn look(&mut self) -> Result<(), Trouble> {
        self.activity(match self.scan.folder() {
            Some(folder) => Activity::Looking(folder.to_owned()),
            None => Activity::TidyingUp,
        });
        let splitter = match &mut self.splitter {
            Some(splitter) => splitter,
            none => none.insert(Splitter::new()?),
        };
        let outcome = self.scan.step(self.shared, splitter, &mut self.watcher)?;
        if outcome.is_of_a_change {
            self.compute.enqueue_first(self.shared, outcome.passages);
        } else {
            self.compute.enqueue(self.shared, outcome.passages);
        }
        self.rest_until = Instant::now() + outcome.reading * self.pace.rest();
        if let Some((folder, took)) = outcome.walked {
            self.watcher.walked(folder, took);
        }
        if outcome.is_end {
            self.tidy_up()?;
            self.scan.tell(self.shared, &self.folders, self.watcher.problems());
            if self.scan.takes_news() {
                self.shared.searching.refresh();
                self.compute.soil();
            }
        }
        Ok(())
    }

    /// Forgets what is in no folder any more.
    fn tidy_up(&mut self) -> Result<(), Trouble> {
        self.activity(Activity::TidyingUp);
        let gone = self.scan.tidy_up(self.shared, &self.folders)?;
        self.compute.forget(&gone);
        self.is_untidy = false;
        Ok(())
    }

    fn load_model(&mut self) -> Result<(), Trouble> {
        let name = crate::model::title(&self.choice.model).to_owned();
        self.activity(Activity::Loading(name));
        match self.compute.load(self.shared, &self.choice) {
            Err(Trouble::Model(error)) if is_of_device(&error) && self.choice.device != "auto" => {
                self.shared.tell(Event::Told(format!("{error}. Another device is used.")));
                self.choice.device = "auto".to_owned();
                self.compute.load(self.shared, &self.choice)
            }
            loaded => loaded,
        }
    }
}

fn is_of_device(error: &Error) -> bool {
    matches!(
        error,
        Error::DeviceUnavailable { .. }
            | Error::DeviceLost { .. }
            | Error::Device { .. }
            | Error::NotBuilt { .. }
            | Error::DtypeUnsupported { .. }
    )
}
