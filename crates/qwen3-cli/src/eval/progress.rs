//! What a run says while it computes.

use crate::say;
use crate::terminal::escaped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Where there is no terminal, a line of progress comes so often.
const PATIENCE: Duration = Duration::from_secs(30);
const BAR: &str = "{msg} {bar:30} {pos}/{len} {eta}";

/// Tells a person how far a run is: a bar on a terminal, else a line now and then.
pub struct Told {
    is_quiet: bool,
    bar: ProgressBar,
    last: Cell<Instant>,
}

impl Told {
    pub fn new(is_quiet: bool) -> Self {
        let bar = ProgressBar::hidden();
        bar.set_style(ProgressStyle::with_template(BAR).expect("the template is a constant"));
        if !is_quiet && std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        Self { is_quiet, bar, last: Cell::new(Instant::now()) }
    }

    /// Begins to count something of which there is so much.
    pub fn begin(&self, what: &str, total: usize) {
        self.bar.reset();
        self.bar.set_message(escaped(what));
        self.bar.set_length(total as u64);
    }

    /// Counts.
    pub fn advance(&self, by: usize) {
        self.bar.inc(by as u64);
        let is_time = self.last.get().elapsed() >= PATIENCE;
        if is_time && !self.is_quiet && !std::io::stderr().is_terminal() {
            self.last.set(Instant::now());
            let (done, of) = (self.bar.position(), self.bar.length().unwrap_or_default());
            say(&format!("{}: {done} of {of}", self.bar.message()));
        }
    }

    /// Ends what was begun.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
