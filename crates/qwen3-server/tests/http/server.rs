//! A server of tiny checkpoints, and requests to it.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use qwen3_engine::{DeviceChoice, DeviceId, Dtype, Options};
use qwen3_server::{
    App, Metrics, ModelToServe, Models, QueueLimits, SchedulerSettings, Settings, load_embedder,
    load_reranker, router,
};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tower::ServiceExt;

pub const EMBEDDER: &str = "tiny-embedding";
pub const RERANKER: &str = "tiny-reranker-tied";

/// The path of a fixture.
pub fn fixture(name: &str) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    fixtures.join(name).to_str().unwrap().to_owned()
}

/// Float32 on the CPU, so that numbers don't depend on the processor's instructions.
pub fn options() -> Options {
    Options::default().device(DeviceId::Cpu).dtype(Dtype::F32)
}

pub fn scheduling() -> SchedulerSettings {
    SchedulerSettings {
        queue: QueueLimits { texts: 5000, tokens: 100_000 },
        max_batch_texts: usize::MAX,
        cache_bytes: 0,
        idle_unload: None,
        warm_up: true,
    }
}

/// A server with these models; an empty name is none.
pub fn server_of(
    embedder: &str,
    reranker: &str,
    settings: Settings,
    scheduling: SchedulerSettings,
) -> Router {
    router(app_of(embedder, reranker, settings, scheduling))
}

fn app_of(
    embedder: &str,
    reranker: &str,
    settings: Settings,
    scheduling: SchedulerSettings,
) -> Arc<App> {
    let metrics = Metrics::new();
    let served = |name: &str| ModelToServe {
        source: fixture(name).into(),
        name: Some(name.to_owned()),
        options: options(),
        devices: vec![DeviceChoice::Named(DeviceId::Cpu)],
    };
    let embedding = |name: &str| load_embedder(&served(name), scheduling, &metrics).unwrap();
    let reranking = |name: &str| load_reranker(&served(name), scheduling, &metrics).unwrap();
    let models = match (embedder, reranker) {
        (embedder, "") => Models::Embedder(embedding(embedder)),
        ("", reranker) => Models::Reranker(reranking(reranker)),
        (embedder, reranker) => Models::Both(embedding(embedder), reranking(reranker)),
    };
    Arc::new(App::new(settings, metrics, models))
}

/// What a server with both models and these settings shares.
pub fn app_with(settings: Settings) -> Arc<App> {
    app_of(EMBEDDER, RERANKER, settings, scheduling())
}

/// A server with both models and these settings.
pub fn server_with(settings: Settings) -> Router {
    server_of(EMBEDDER, RERANKER, settings, scheduling())
}

/// A server with both models.
pub fn server() -> Router {
    server_with(Settings::default())
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends a request.
pub async fn send(server: &Router, request: Request<Body>) -> Reply {
    let response = server.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Reply { status: parts.status, headers: parts.headers, body }
}

/// Sends a body to a route.
pub async fn post(server: &Router, path: &str, body: impl Into<Body>) -> Reply {
    let request = Request::post(path).header("content-type", "application/json");
    send(server, request.body(body.into()).unwrap()).await
}

/// Gets a route.
pub async fn get(server: &Router, path: &str) -> Reply {
    send(server, Request::get(path).body(Body::empty()).unwrap()).await
}
