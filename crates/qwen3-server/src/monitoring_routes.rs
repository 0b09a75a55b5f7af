//! Routes for machines that watch, and for the page that shows the server.

use crate::app::SharedApp;
use crate::dialects::DialectError;
use crate::dialects::tei::{Tei, TeiError};
use crate::scheduler::{Phase, Scheduler};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Json};
use serde::Serialize;
use utoipa::ToSchema;

/// What the server does just now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stats {
    /// Since the start.
    pub uptime_seconds: f64,
    /// One or two.
    pub models: Vec<ModelStats>,
    /// Seconds of the last requests.
    pub latency: LatencyStats,
}

/// What a model does just now.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelStats {
    /// Its name.
    pub name: String,
    /// `embedding` or `reranker`
    pub task: &'static str,
    /// What each replica is doing: its device and precision, or why it isn't ready.
    pub replicas: Vec<String>,
    /// Texts without an answer.
    pub queue_texts: usize,
    /// Tokens that wait.
    pub queue_tokens: usize,
    /// Of the last batches.
    pub tokens_per_second: f64,
    /// Tokens that a batch may have.
    pub max_batch_tokens: usize,
}

/// How long the last requests took, in seconds.
#[derive(Debug, Serialize, ToSchema)]
pub struct LatencyStats {
    /// How many are counted.
    pub requests: usize,
    /// Half of them took less.
    pub p50: f64,
    /// 95 of a hundred took less.
    pub p95: f64,
    /// 99 of a hundred took less.
    pub p99: f64,
}

/// 200 if every model has a replica that works, with an empty body.
#[utoipa::path(
    get, path = "/health", tag = "monitoring",
    responses(
        (status = 200, description = "It works"),
        (status = 503, description = "An engine is being rebuilt", body = TeiError),
    )
)]
pub async fn health(State(app): State<SharedApp>) -> Result<(), DialectError<Tei>> {
    Ok(app.health()?)
}

/// Numbers for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "monitoring",
    responses((status = 200, description = "Prometheus' text format", body = String))
)]
pub async fn metrics(State(app): State<SharedApp>) -> impl IntoResponse {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.inference.metrics.text())
}

/// What the server does just now.
#[utoipa::path(
    get, path = "/stats", tag = "monitoring",
    responses((status = 200, description = "Models, queues, speeds", body = Stats))
)]
pub async fn stats(State(app): State<SharedApp>) -> Json<Stats> {
    let mut models = vec![];
    if let Some(model) = app.models.embedder() {
        models.push(model_stats(&model.name, "embedding", &model.scheduler));
    }
    if let Some(model) = app.models.reranker() {
        models.push(model_stats(&model.name, "reranker", &model.scheduler));
    }
    let uptime_seconds = app.started.elapsed().as_secs_f64();
    Json(Stats { uptime_seconds, models, latency: latency(app.inference.metrics.recent()) })
}

fn model_stats(name: &str, task: &'static str, scheduler: &Scheduler) -> ModelStats {
    let now = scheduler.snapshot();
    let replica = |phase| match phase {
        Phase::Ready(device) => device,
        Phase::Loading => "loading".to_owned(),
        Phase::Unloaded => "unloaded".to_owned(),
        Phase::Lost(reason) => format!("lost: {reason}"),
    };
    ModelStats {
        name: name.to_owned(),
        task,
        replicas: now.replicas.into_iter().map(replica).collect(),
        queue_texts: now.texts,
        queue_tokens: now.tokens,
        tokens_per_second: now.tokens_per_second,
        max_batch_tokens: scheduler.max_batch_tokens(),
    }
}

fn latency(mut seconds: Vec<f64>) -> LatencyStats {
    seconds.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (share * seconds.len() as f64).ceil() as usize;
        seconds.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    };
    LatencyStats { requests: seconds.len(), p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let stats = latency((1..=200).rev().map(f64::from).collect());
        assert_eq!((stats.p50, stats.p95, stats.p99), (100.0, 190.0, 198.0));
        assert_eq!(latency(vec![3.0]).p99, 3.0);
        assert_eq!(latency(vec![]).p50, 0.0);
    }
}
