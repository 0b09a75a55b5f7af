//! What clients saw: how long answers took, and of what kind they were.

use std::collections::BTreeMap;
use std::time::Duration;

/// What all connections saw.
#[derive(Default)]
pub struct Seen {
    pub latencies: Vec<Duration>,
    pub counts: BTreeMap<String, usize>,
}

impl Seen {
    pub fn count(&mut self, what: impl Into<String>) {
        self.add(what, 1);
    }

    pub fn add(&mut self, what: impl Into<String>, times: usize) {
        *self.counts.entry(what.into()).or_default() += times;
    }

    pub fn merge(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        for (what, count) in other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    pub fn print(mut self, elapsed: Duration) {
        self.latencies.sort_unstable();
        let at = |share: f64| {
            let rank = (share * self.latencies.len() as f64).ceil() as usize;
            let found = self.latencies.get(rank.saturating_sub(1)).copied().unwrap_or_default();
            format!("{:.2}", found.as_secs_f64() * 1e3)
        };
        let rate = self.latencies.len() as f64 / elapsed.as_secs_f64();
        let (p50, p95, p99) = (at(0.5), at(0.95), at(0.99));
        println!(
            "{rate:.0} requests/s, p50 {p50} ms, p95 {p95} ms, p99 {p99} ms; {:?}",
            self.counts
        );
    }
}
