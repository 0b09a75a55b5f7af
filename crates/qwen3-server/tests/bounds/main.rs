//! What the worst request to each route can cost: for every POST route of the
//! OpenAPI document there is a table of bodies, as large as the server takes
//! them, that want as much memory, work or answer as can be asked for. Each
//! gives an answer or an error that names its limit, within the same bounds.
//! The allocator counts, so this is a program of its own.

#[path = "../http/server.rs"]
#[allow(dead_code, reason = "not every test program uses all of it")]
mod server;
mod worst;

use axum::body::Body;
use axum::http::Request;
use peak_alloc::PeakAlloc;
use qwen3_server::{QueueLimits, SchedulerSettings, Settings};
use server::{EMBEDDER, RERANKER, Reply, get, scheduling, send, server_of};
use worst::{PAYLOAD_BYTES, worst_bodies};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const ANSWER_BYTES: usize = 1 << 20;
const QUEUE_TOKENS: usize = 20_000;
/// One stretch of text without a place to cut takes half of it, and nothing more.
const MAX_MEMORY_BYTES: usize = 64 << 20;
/// Numbers of 4 bytes are up to 12 in JSON; an answer may repeat the texts.
const MAX_ANSWER_BYTES: usize = 4 * ANSWER_BYTES + 2 * PAYLOAD_BYTES;
/// A request beyond its bounds would take hours.
const SECONDS: &str = "120";

fn settings() -> (Settings, SchedulerSettings) {
    let settings = Settings {
        payload_limit: PAYLOAD_BYTES,
        answer_limit: ANSWER_BYTES,
        ..Settings::default()
    };
    let queue = QueueLimits { texts: 5000, tokens: QUEUE_TOKENS };
    (settings, SchedulerSettings { queue, ..scheduling() })
}

/// Sends a body, and tells how much memory it took for a time.
async fn measured(server: &axum::Router, path: &str, body: String) -> (Reply, usize) {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("x-request-timeout", SECONDS)
        .body(Body::from(body))
        .unwrap();
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let reply = send(server, request).await;
    (reply, MEMORY.peak_usage().saturating_sub(before))
}

/// One test, so that nothing else is counted.
#[tokio::test]
async fn the_worst_request_to_each_route_is_within_bounds() {
    let (settings, scheduling) = settings();
    let server = server_of(EMBEDDER, RERANKER, settings, scheduling);
    let document = get(&server, "/openapi.json").await.json();
    let routes = document["paths"].as_object().unwrap().iter();
    let routes = routes.filter(|(_, methods)| methods.get("post").is_some());
    let mut n_routes = 0;
    for (path, _) in routes {
        n_routes += 1;
        for (name, body) in worst_bodies(path) {
            assert!(body.len() <= PAYLOAD_BYTES, "{path} {name}: {} bytes", body.len());
            let (reply, memory_bytes) = measured(&server, path, body).await;
            let status = reply.status.as_u16();
            let shown = String::from_utf8_lossy(&reply.body[..reply.body.len().min(300)]);
            println!("{path} {name}: {status}, {memory_bytes} of memory, {} out", reply.body.len());
            let is_bounded =
                memory_bytes <= MAX_MEMORY_BYTES && reply.body.len() <= MAX_ANSWER_BYTES;
            assert!(is_bounded, "{path} {name}: {memory_bytes}, {}", reply.body.len());
            let is_answered = status == 200 || (400..500).contains(&status) && status != 408;
            assert!(is_answered, "{path} {name}: {status} {shown}");
            let tokens: usize = reply.header("x-compute-tokens").parse().unwrap_or(0);
            let distinct = if name.starts_with("equal") { 2048 } else { 1 };
            assert!(tokens <= QUEUE_TOKENS * distinct, "{path} {name}: {tokens} tokens");
        }
    }
    assert!(n_routes > 10);
}
