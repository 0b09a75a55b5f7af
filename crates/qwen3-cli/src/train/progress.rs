//! What a run says on standard error.

use crate::say;
use crate::terminal::escaped;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use qwen3_train::{Event, Record};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Where there is no terminal, a line of progress comes so often.
const PATIENCE: Duration = Duration::from_secs(30);
const BAR: &str = "{msg} {bar:20} {pos}/{len} {eta}";

/// Tells a person what happens: a bar on a terminal, else a line now and then.
pub struct Told {
    quiet: bool,
    bar: ProgressBar,
    last: Mutex<Instant>,
}

impl Told {
    pub fn new(quiet: bool) -> Self {
        let bar = ProgressBar::hidden();
        bar.set_style(ProgressStyle::with_template(BAR).expect("the template is a constant"));
        Self { quiet, bar, last: Mutex::new(Instant::now()) }
    }

    pub fn tell(&self, event: &Event) {
        if self.quiet {
            return;
        }
        match event {
            Event::Begin { done, steps, micro_batch_tokens } => {
                self.begin(*done, *steps);
                let from = if *done > 0 { format!(", from step {done}") } else { String::new() };
                self.line(&format!("{steps} steps{from}, {micro_batch_tokens} tokens at one time"));
            }
            Event::Step { record, steps } => self.step(record, *steps),
            Event::Read { path, rows } if self.is_time() => {
                self.line(&format!("{rows} rows of {}", path.display()));
            }
            Event::StoppedEarly { best_step } => {
                self.line(&format!(
                    "the measure gets no better; the weights of step {best_step} are kept"
                ));
            }
            _ => {}
        }
    }

    fn begin(&self, done: u64, steps: u64) {
        if std::io::stderr().is_terminal() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_length(steps);
        self.bar.set_position(done);
        self.bar.reset_eta();
    }

    fn step(&self, record: &Record, steps: u64) {
        if !record.held_out.is_empty() {
            let measures = record.held_out.iter().map(|(name, value)| format!("{name} {value:.4}"));
            let measures: Vec<String> = measures.collect();
            self.line(&format!("step {}: {}", record.step, measures.join(", ")));
        }
        let Some(loss) = record.loss else { return };
        let speed = record.tokens_per_second.unwrap_or_default();
        let told = format!("loss {loss:.4}, {speed:.0} tokens/s");
        self.bar.set_message(told.clone());
        self.bar.set_position(record.step);
        if record.step == steps {
            self.bar.finish_and_clear();
        }
        if self.bar.is_hidden() && (self.is_time() || record.step == steps) {
            say(&format!("step {} of {steps}: {told}", record.step));
        }
    }

    /// A line above the bar, or by itself.
    fn line(&self, text: &str) {
        match self.bar.is_hidden() {
            true => say(text),
            false => self.bar.println(format!("qwen3: {}", escaped(text))),
        }
    }

    fn is_time(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_time = last.elapsed() >= PATIENCE;
        if is_time {
            *last = Instant::now();
        }
        is_time
    }
}
