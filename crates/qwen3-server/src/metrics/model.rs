//! Numbers of one model.

use super::Metrics;
use super::registry::{counters, counters_by, gauges};
use prometheus::{Gauge, IntCounterVec, IntGaugeVec, Registry};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What is counted for each model apart.
pub struct PerModel {
    queue_tokens: IntGaugeVec,
    replicas_ready: IntGaugeVec,
    batch_budget: IntGaugeVec,
    cache_bytes: IntGaugeVec,
    tokens: IntCounterVec,
    events: IntCounterVec,
}

impl PerModel {
    pub fn new(r: &Registry) -> Self {
        Self {
            queue_tokens: gauges(r, "qwen3_queue_tokens", "Tokens that wait"),
            replicas_ready: gauges(r, "qwen3_replicas_ready", "Replicas that are loaded"),
            batch_budget: gauges(r, "qwen3_batch_budget_tokens", "Most tokens of a batch"),
            cache_bytes: gauges(r, "qwen3_cache_bytes", "Bytes of the cache in use"),
            tokens: counters(r, "qwen3_computed_tokens", "Tokens computed", "model"),
            events: counters_by(
                r,
                "qwen3_engine_events",
                "Texts answered from the cache, shared with another request, cancelled, \
                 computed again for NaN; batches out of memory; engines rebuilt",
                &["model", "event"],
            ),
        }
    }
}

impl Metrics {
    /// The numbers of one model.
    pub fn model(&self, name: &'static str) -> ModelMetrics {
        let shown_texts = Arc::new(AtomicU64::new(0));
        let tokens_per_second = Gauge::new("rate", "not registered").expect("a valid name");
        ModelMetrics { all: self.clone(), name, shown_texts, tokens_per_second }
    }
}

/// The numbers of one model, which are labelled with what it is for.
#[derive(Clone)]
pub struct ModelMetrics {
    all: Metrics,
    name: &'static str,
    /// What this model adds to `te_queue_size`.
    shown_texts: Arc<AtomicU64>,
    tokens_per_second: Gauge,
}

impl ModelMetrics {
    /// What the model is for.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What waits. Called under the scheduler's lock.
    pub fn queue(&self, texts: usize, tokens: usize) {
        let before = self.shown_texts.swap(texts as u64, Ordering::Relaxed);
        self.all.0.queue_size.add(texts as i64 - before as i64);
        self.set(&self.all.0.model.queue_tokens, tokens);
    }

    /// A batch that was computed.
    pub fn batch(&self, texts: usize, tokens: usize, time: Duration) {
        self.all.0.batch_size.observe(texts as f64);
        self.all.0.batch_tokens.observe(tokens as f64);
        self.all.0.model.tokens.with_label_values(&[self.name]).inc_by(tokens as u64);
        let rate = tokens as f64 / time.as_secs_f64().max(1e-6);
        let before = self.tokens_per_second.get();
        let smooth = if before == 0.0 { rate } else { 0.8 * before + 0.2 * rate };
        self.tokens_per_second.set(smooth);
    }

    /// Tokens per second of the last batches; 0 before the first.
    pub fn tokens_per_second(&self) -> f64 {
        self.tokens_per_second.get()
    }

    /// How long so many tokens will about take: 1 s to a minute.
    pub fn time_for(&self, tokens: usize) -> Duration {
        let rate = self.tokens_per_second.get();
        let seconds = if rate > 0.0 { tokens as f64 / rate } else { 1.0 };
        Duration::from_secs(seconds.ceil().clamp(1.0, 60.0) as u64)
    }

    /// Texts from the cache, and texts computed for another request anyway.
    pub fn shared_work(&self, cached: usize, joined: usize) {
        self.event("cache_hit", cached);
        self.event("shared", joined);
    }

    /// Texts that were given up before they had an answer.
    pub fn cancelled(&self, texts: usize) {
        self.event("cancelled", texts);
    }

    /// A text gave NaN or infinity.
    pub fn non_finite(&self) {
        self.event("non_finite", 1);
    }

    /// A batch didn't fit.
    pub fn out_of_memory(&self) {
        self.event("out_of_memory", 1);
    }

    /// An engine was lost.
    pub fn rebuilt(&self) {
        self.event("engine_lost", 1);
    }

    /// Tokens that a batch may have.
    pub fn batch_budget(&self, tokens: usize) {
        self.set(&self.all.0.model.batch_budget, tokens);
    }

    /// Replicas that are loaded.
    pub fn replicas_ready(&self, replicas: usize) {
        self.set(&self.all.0.model.replicas_ready, replicas);
    }

    /// Bytes of the cache in use.
    pub fn cache_bytes(&self, bytes: usize) {
        self.set(&self.all.0.model.cache_bytes, bytes);
    }

    fn event(&self, event: &str, count: usize) {
        if count > 0 {
            let counter = self.all.0.model.events.with_label_values(&[self.name, event]);
            counter.inc_by(count as u64);
        }
    }

    fn set(&self, gauges: &IntGaugeVec, value: usize) {
        gauges.with_label_values(&[self.name]).set(i64::try_from(value).unwrap_or(i64::MAX));
    }
}
