//! Numbers for Prometheus: those of text-embeddings-inference under its names
//! (`te_…`), and our own (`qwen3_…`).

use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder, exponential_buckets,
};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Requests whose times are kept.
const RECENT: usize = 512;

/// All numbers of one server. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Numbers>);

struct Numbers {
    registry: Registry,
    request_count: IntCounterVec,
    request_success: IntCounterVec,
    request_failure: IntCounterVec,
    input_length: Histogram,
    batch_size: Histogram,
    batch_tokens: Histogram,
    queue_size: IntGauge,
    request: Durations,
    embed: Work,
    predict: Work,
    responses: IntCounterVec,
    connections: IntGauge,
    connections_dropped: IntCounterVec,
    model: PerModel,
    /// Seconds of the last requests.
    recent: Mutex<VecDeque<f64>>,
}

/// What is counted for vectors and for scores alike.
struct Work {
    count: IntCounter,
    success: IntCounter,
    durations: Durations,
}

struct Durations {
    total: Histogram,
    tokenization: Histogram,
    queue: Histogram,
    inference: Histogram,
}

struct PerModel {
    queue_tokens: IntGaugeVec,
    replicas_ready: IntGaugeVec,
    batch_budget: IntGaugeVec,
    cache_bytes: IntGaugeVec,
    tokens: IntCounterVec,
    events: IntCounterVec,
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Vectors.
    Embed,
    /// Scores.
    Predict,
}

/// What one request took.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestTimes {
    /// From the request's head to the answer's.
    pub total: Duration,
    /// Texts to tokens.
    pub tokenization: Duration,
    /// The longest wait of its texts.
    pub queue: Duration,
    /// The longest batch of its texts.
    pub inference: Duration,
}

impl Metrics {
    /// Numbers that are all 0.
    pub fn new() -> Self {
        let registry = Registry::new();
        let r = &registry;
        let powers = |count| exponential_buckets(1.0, 2.0, count).expect("a valid range");
        let numbers = Numbers {
            request_count: counters(r, "te_request_count", "Requests for inference", "method"),
            request_success: counters(r, "te_request_success", "Those answered", "method"),
            request_failure: counters(r, "te_request_failure", "Those refused or failed", "err"),
            input_length: histogram(r, "te_request_input_length", "Tokens of a text", powers(20)),
            batch_size: histogram(r, "te_batch_next_size", "Texts of a batch", powers(13)),
            batch_tokens: histogram(r, "te_batch_next_tokens", "Tokens of a batch", powers(21)),
            queue_size: registered(r, IntGauge::new("te_queue_size", "Texts without an answer")),
            request: Durations::new(r, "te_request"),
            embed: Work::new(r, "te_embed"),
            predict: Work::new(r, "te_predict"),
            responses: counters_by(
                r,
                "qwen3_http_responses",
                "Answers by route and status",
                &["route", "status"],
            ),
            connections: registered(r, IntGauge::new("qwen3_connections", "Open connections")),
            connections_dropped: counters(
                r,
                "qwen3_connections_dropped",
                "Connections and streams given up: TLS that failed (handshake), no whole head in \
                 time (head), no next request (idle), an answer not taken (write), too many \
                 connections (crowded)",
                "reason",
            ),
            model: PerModel {
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
            },
            recent: Mutex::default(),
            registry,
        };
        for method in ["single", "batch"] {
            numbers.request_count.with_label_values(&[method]);
            numbers.request_success.with_label_values(&[method]);
        }
        Self(Arc::new(numbers))
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let text = TextEncoder::new().encode_to_string(&self.0.registry.gather());
        text.expect("metrics of constant names are text")
    }

    /// Counts an answer.
    pub fn response(&self, route: &str, status: u16) {
        self.0.responses.with_label_values(&[route, &status.to_string()]).inc();
    }

    /// Notes connections that came, or went.
    pub(crate) fn connections(&self, more: i64) {
        self.0.connections.add(more);
    }

    /// Counts a connection that was given up.
    pub(crate) fn connection_dropped(&self, reason: &str) {
        self.0.connections_dropped.with_label_values(&[reason]).inc();
    }

    /// Counts a request for so many texts.
    pub fn request(&self, texts: usize) {
        self.0.request_count.with_label_values(&[method(texts)]).inc();
    }

    /// Counts a request that was answered with results.
    pub fn success(&self, task: Task, texts: usize, times: RequestTimes) {
        self.0.request_success.with_label_values(&[method(texts)]).inc();
        self.0.request.observe(times);
        let work = match task {
            Task::Embed => &self.0.embed,
            Task::Predict => &self.0.predict,
        };
        work.count.inc_by(texts as u64);
        work.success.inc_by(texts as u64);
        work.durations.observe(times);
        let mut recent = self.0.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.truncate(RECENT - 1);
        recent.push_front(times.total.as_secs_f64());
    }

    /// Seconds of the last requests, newest first.
    pub fn recent(&self) -> Vec<f64> {
        let recent = self.0.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().copied().collect()
    }

    /// Counts a request that was refused or failed.
    pub fn failure(&self, error: &str) {
        self.0.request_failure.with_label_values(&[error]).inc();
    }

    /// Notes the length of a text.
    pub fn input_length(&self, tokens: usize) {
        self.0.input_length.observe(tokens as f64);
    }

    /// The numbers of one model.
    pub fn model(&self, name: &'static str) -> ModelMetrics {
        let shown_texts = Arc::new(AtomicU64::new(0));
        let tokens_per_second = Gauge::new("rate", "not registered").expect("a valid name");
        ModelMetrics { all: self.clone(), name, shown_texts, tokens_per_second }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The numbers of one model, which are labelled with what it is for.
#[derive(Clone)]
pub struct ModelMetrics {
    all: Metrics,
    name: &'static str,
    /// What this model adds to `te_queue_size`.
    shown_texts: Arc<AtomicU64>,
    /// Of late.
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

impl Work {
    fn new(registry: &Registry, name: &str) -> Self {
        let counter =
            |suffix, help| registered(registry, IntCounter::new(format!("{name}_{suffix}"), help));
        Self {
            count: counter("count", "Texts"),
            success: counter("success", "Texts with a result"),
            durations: Durations::new(registry, name),
        }
    }
}

impl Durations {
    fn new(registry: &Registry, name: &str) -> Self {
        let buckets = exponential_buckets(1.5e-5, 1.5, 35).expect("a valid range");
        let of = |part: &str, help| {
            histogram(registry, &format!("{name}_{part}duration"), help, buckets.clone())
        };
        Self {
            total: of("", "Seconds of a request"),
            tokenization: of("tokenization_", "Seconds from texts to tokens"),
            queue: of("queue_", "Seconds in the queue"),
            inference: of("inference_", "Seconds of computing"),
        }
    }

    fn observe(&self, times: RequestTimes) {
        self.total.observe(times.total.as_secs_f64());
        self.tokenization.observe(times.tokenization.as_secs_f64());
        self.queue.observe(times.queue.as_secs_f64());
        self.inference.observe(times.inference.as_secs_f64());
    }
}

fn method(texts: usize) -> &'static str {
    if texts == 1 { "single" } else { "batch" }
}

fn counters(registry: &Registry, name: &str, help: &str, label: &str) -> IntCounterVec {
    counters_by(registry, name, help, &[label])
}

fn counters_by(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauges(registry: &Registry, name: &str, help: &str) -> IntGaugeVec {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), &["model"]))
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: Vec<f64>) -> Histogram {
    registered(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)))
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: prometheus::Result<C>,
) -> C {
    let collector = collector.expect("names and labels are constant and valid");
    registry.register(Box::new(collector.clone())).expect("each name is registered once");
    collector
}
