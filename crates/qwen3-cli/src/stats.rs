//! The line that `--stats` prints.

use qwen3_engine::internals::peak_memory_bytes;
use qwen3_engine::{DeviceId, Dtype};
use serde_json::json;
use std::io::Write;
use std::time::{Duration, Instant};

/// What one run did.
pub struct Stats {
    load: Duration,
    started: Instant,
    texts: usize,
    tokens: usize,
}

impl Stats {
    /// Begins after a loading that took `load`.
    pub fn start(load: Duration) -> Self {
        Self { load, started: Instant::now(), texts: 0, tokens: 0 }
    }

    /// Counts one text.
    pub fn count(&mut self, tokens: usize) {
        self.texts += 1;
        self.tokens += tokens;
    }

    /// Texts counted so far.
    pub fn texts(&self) -> usize {
        self.texts
    }

    /// One JSON object on standard error.
    pub fn print(&self, device: DeviceId, dtype: Dtype) {
        let seconds = self.started.elapsed().as_secs_f64();
        let line = json!({
            "texts": self.texts,
            "tokens": self.tokens,
            "seconds": seconds,
            "tokens_per_second": self.tokens as f64 / seconds,
            "load_seconds": self.load.as_secs_f64(),
            "peak_bytes": peak_memory_bytes(),
            "device": device.to_string(),
            "dtype": dtype.to_string(),
        });
        // Whoever closed standard error does not want them.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}
