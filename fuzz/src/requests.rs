//! Requests to a server of two tiny models.

use crate::files::fixture;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use qwen3_engine::{DeviceChoice, DeviceId, Options};
use qwen3_server::{
    App, Metrics, ModelToServe, Models, QueueLimits, SchedulerSettings, Settings, load_embedder,
    load_reranker, router,
};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// Longer than any request of a fuzzer's size takes on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(20);

static SERVER: LazyLock<Router> = LazyLock::new(server);
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

fn server() -> Router {
    let (metrics, device) = (Metrics::new(), DeviceChoice::Named(DeviceId::Cpu));
    let served = |name: &str| ModelToServe {
        source: fixture(name).into(),
        name: Some(name.to_owned()),
        options: Options::default().device(device),
        devices: vec![device],
    };
    let scheduling = SchedulerSettings {
        queue: QueueLimits { texts: 5000, tokens: 100_000 },
        max_batch_texts: usize::MAX,
        cache_bytes: 1 << 20,
        idle_unload: None,
        warm_up: false,
    };
    let embedder = load_embedder(&served("tiny-embedding"), scheduling, &metrics);
    let reranker = load_reranker(&served("tiny-reranker-tied"), scheduling, &metrics);
    let (embedder, reranker) = (embedder.expect("a fixture"), reranker.expect("a fixture"));
    let models = Models::Both(embedder, reranker);
    router(Arc::new(App::new(Settings::default(), metrics, models)))
}

/// A route, a line break, a body: the answer is one, or says what is wrong.
pub fn request(data: &[u8]) {
    let Some(end) = data.iter().position(|&byte| byte == b'\n') else { return };
    let (path, body) = (&data[..end], data[end + 1..].to_owned());
    let Ok(path) = std::str::from_utf8(path) else { return };
    let request = Request::post(path).header("content-type", "application/json");
    let Ok(request) = request.body(Body::from(body)) else { return };
    let answer = async {
        let response = SERVER.clone().oneshot(request).await.expect("routers don't fail");
        let (head, body) = response.into_parts();
        (head.status, body.collect().await.map(|body| body.to_bytes()))
    };
    let answer = RUNTIME.block_on(async { tokio::time::timeout(TIME_LIMIT, answer).await });
    let (status, body) = answer.unwrap_or_else(|_| panic!("`{path}` hangs"));
    let body = body.unwrap_or_else(|error| panic!("`{path}` breaks off: {error}"));
    let is_right = status.is_success() || status.is_client_error() || status.is_redirection();
    assert!(is_right, "`{path}` answers {status}: {}", String::from_utf8_lossy(&body));
}
