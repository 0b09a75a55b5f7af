//! Counters for Prometheus: those of text-embeddings-inference under its names
//! (`te_…`), and our own (`qwen3_…`).

mod model;
mod registry;

pub use model::ModelMetrics;
use model::PerModel;
use prometheus::{
    Histogram, IntCounter, IntCounterVec, IntGauge, Registry, TextEncoder, exponential_buckets,
};
use registry::{counters, counters_by, histogram, powers, registered};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Requests whose times are kept.
const RECENT: usize = 512;

/// All numbers of one server. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Counters>);

struct Counters {
    registry: Registry,
    request_count: IntCounterVec,
    request_success: IntCounterVec,
    request_failure: IntCounterVec,
    input_length: Histogram,
    batch_size: Histogram,
    batch_tokens: Histogram,
    queue_size: IntGauge,
    request: Durations,
    embed: PerTask,
    predict: PerTask,
    responses: IntCounterVec,
    connections: IntGauge,
    connections_dropped: IntCounterVec,
    model: PerModel,
    /// Seconds of the last requests.
    recent: Mutex<VecDeque<f64>>,
}

/// What is counted for vectors and for scores alike.
struct PerTask {
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
    /// Counters that are all 0.
    pub fn new() -> Self {
        let registry = Registry::new();
        let r = &registry;
        let numbers = Counters {
            request_count: counters(r, "te_request_count", "Requests for inference", "method"),
            request_success: counters(r, "te_request_success", "Those answered", "method"),
            request_failure: counters(r, "te_request_failure", "Those refused or failed", "err"),
            input_length: histogram(r, "te_request_input_length", "Tokens of a text", powers(20)),
            batch_size: histogram(r, "te_batch_next_size", "Texts of a batch", powers(13)),
            batch_tokens: histogram(r, "te_batch_next_tokens", "Tokens of a batch", powers(21)),
            queue_size: registered(r, IntGauge::new("te_queue_size", "Texts without an answer")),
            request: Durations::new(r, "te_request"),
            embed: PerTask::new(r, "te_embed"),
            predict: PerTask::new(r, "te_predict"),
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
            model: PerModel::new(r),
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
    pub fn connections(&self, more: i64) {
        self.0.connections.add(more);
    }

    /// Counts a connection that was given up.
    pub fn connection_dropped(&self, reason: &str) {
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
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl PerTask {
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
