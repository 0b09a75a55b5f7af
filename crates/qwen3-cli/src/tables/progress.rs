//! How far a run has come, for a terminal and for the line at its end.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use qwen3_engine::internals::peak_memory_bytes;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WITH_END: &str = "{bar:30} {human_pos}/{human_len} rows {msg} {eta}";
const WITHOUT_END: &str = "{spinner} {human_pos} rows {msg} {elapsed}";
/// How often the bar moves while nothing is finished.
const TICK: Duration = Duration::from_millis(200);

/// Counts of a run, from several threads.
pub struct Told {
    bar: ProgressBar,
    started: Instant,
    /// Rows computed by this run.
    rows: AtomicU64,
    resumed: AtomicU64,
    skipped: AtomicU64,
    texts: AtomicU64,
    /// Rows with results of this run.
    kept: AtomicU64,
    tokens: AtomicU64,
}

impl Told {
    /// Begins now. `rows` is how many there are, if that is known.
    pub fn new(rows: Option<u64>, quiet: bool) -> Self {
        let bar = ProgressBar::hidden();
        if !quiet && std::io::stderr().is_terminal() {
            let template = if rows.is_some() { WITH_END } else { WITHOUT_END };
            bar.set_style(ProgressStyle::with_template(template).expect("it is a constant"));
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
        }
        if let Some(rows) = rows {
            bar.set_length(rows);
        }
        let [rows, resumed, skipped, texts, kept, tokens] = Default::default();
        Self { bar, started: Instant::now(), rows, resumed, skipped, texts, kept, tokens }
    }

    /// Rows whose results an earlier run has left.
    pub fn resumed(&self, rows: u64) {
        self.resumed.fetch_add(rows, Ordering::Relaxed);
        self.bar.inc(rows);
        self.bar.reset_eta();
    }

    /// Rows that are left out; they were counted as read.
    pub fn skipped(&self, rows: u64) {
        self.skipped.fetch_add(rows, Ordering::Relaxed);
    }

    /// Rows of which `kept` have results, for which so many texts were computed.
    pub fn computed(&self, rows: u64, kept: usize, texts: usize, tokens: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.kept.fetch_add(kept as u64, Ordering::Relaxed);
        self.texts.fetch_add(texts as u64, Ordering::Relaxed);
        let tokens = self.tokens.fetch_add(tokens, Ordering::Relaxed) + tokens;
        self.bar.inc(rows);
        let speed = tokens as f64 / self.started.elapsed().as_secs_f64();
        self.bar.set_message(format!("{speed:.0} tokens/s"));
    }

    /// Takes the bar away, once all is done or given up.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Whether an earlier run has left nothing to do.
    pub fn is_all_resumed(&self) -> bool {
        self.rows.load(Ordering::Relaxed) == 0 && self.resumed.load(Ordering::Relaxed) > 0
    }

    /// The counts.
    pub fn summary(&self) -> Value {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let seconds = self.started.elapsed().as_secs_f64();
        let (rows, tokens) = (count(&self.rows), count(&self.tokens));
        json!({
            "rows": rows + count(&self.resumed),
            "resumed": count(&self.resumed),
            "skipped": count(&self.skipped),
            "texts": count(&self.texts),
            "duplicates": count(&self.kept).saturating_sub(count(&self.texts)),
            "tokens": tokens,
            "seconds": seconds,
            "rows_per_second": rows as f64 / seconds,
            "tokens_per_second": tokens as f64 / seconds,
            "peak_bytes": peak_memory_bytes(),
        })
    }

    /// Rows whose results are on the disk.
    pub fn finished(&self) -> u64 {
        self.rows.load(Ordering::Relaxed) + self.resumed.load(Ordering::Relaxed)
    }
}
