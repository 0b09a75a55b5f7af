//! Limits: what is beyond them is refused with the status that clients know.

use crate::server::{EMBEDDER, RERANKER, post, scheduling, server_of, server_with};
use axum::body::{Body, Bytes};
use qwen3_server::Settings;
use qwen3_server::scheduler::{QueueLimits, SchedulerSettings};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_batch_or_body_that_is_too_large_is_refused() {
    let settings = Settings { max_client_batch_size: 2, payload_limit: 100, ..Settings::default() };
    let server = server_with(settings);
    let reply = post(&server, "/embed", r#"{"inputs": ["a", "b", "c"]}"#).await;
    assert_eq!(reply.status, 422);
    assert_eq!(reply.json()["error"], "batch size 3 > maximum allowed batch size 2");
    let body = json!({"input": "x".repeat(100)}).to_string();
    let reply = post(&server, "/v1/embeddings", body).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.json()["error"]["type"]),
        (413, &json!("invalid_request_error"))
    );
}

#[tokio::test]
async fn a_text_that_is_too_long_is_cut_and_told_or_refused() {
    let text = "a b ".repeat(20_000);
    let server = server_with(Settings::default());
    let reply =
        post(&server, "/embed", json!({"inputs": [text, "b"], "dimensions": 4}).to_string());
    let reply = reply.await;
    assert_eq!((reply.status.as_u16(), reply.header("x-truncated-inputs")), (200, "1"));
    let body = json!({"inputs": text, "truncate": false});
    let reply = post(&server, "/embed", body.to_string()).await;
    assert_eq!(reply.status, 422);
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert!(
        error.starts_with(
            "Input validation error: `inputs` must have less than 32768 tokens. Given: "
        ),
        "{error}"
    );

    let server = server_with(Settings { auto_truncate: false, ..Settings::default() });
    let reply = post(&server, "/v1/embeddings", json!({"input": text}).to_string()).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn more_than_the_queue_holds_is_refused_at_once() {
    let queue = QueueLimits { texts: 100, tokens: 30 };
    let scheduling = SchedulerSettings { queue, ..scheduling() };
    let server = server_of(EMBEDDER, RERANKER, Settings::default(), scheduling);
    let texts: Vec<String> = (0..20).map(|i| format!("text {i}")).collect();
    let reply = post(&server, "/embed", json!({ "inputs": texts }).to_string()).await;
    assert_eq!(reply.status, 422, "{}", reply.text());
    assert!(reply.text().contains("send them in several requests"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overload_is_429_with_a_time_to_come_back() {
    let server = server_with(Settings { max_concurrent_requests: 1, ..Settings::default() });
    let long = json!({"inputs": vec!["gravity "; 200].join(""), "truncate": true}).to_string();
    let bodies: Vec<String> = (0..40).map(|i| long.replace("gravity", &format!("g{i}"))).collect();
    let mut requests = tokio::task::JoinSet::new();
    for body in bodies {
        let server = server.clone();
        requests.spawn(async move { post(&server, "/embed", body).await });
    }
    let replies = requests.join_all().await;
    assert!(replies.iter().any(|reply| reply.status == 200));
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status != 200).collect();
    assert!(!refused.is_empty());
    for reply in refused {
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (429, "1"));
        assert_eq!(reply.json()["error_type"], "Overloaded");
    }
}

#[tokio::test]
async fn a_deadline_of_the_client_or_the_server_ends_a_request() {
    let server = server_with(Settings {
        request_timeout: Some(Duration::from_millis(5)),
        ..Settings::default()
    });
    let long = "gravity ".repeat(20_000);
    let reply = post(&server, "/embed", json!({ "inputs": long }).to_string()).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error_type"]), (504, &json!("Unhealthy")));

    let server = server_with(Settings::default());
    let request = axum::http::Request::post("/api/embed").header("x-request-timeout", "0.005");
    let request = request.body(Body::from(json!({ "input": long }).to_string())).unwrap();
    assert_eq!(crate::server::send(&server, request).await.status, 504);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let body_timeout = Duration::from_millis(20);
    let server = server_with(Settings { body_timeout, ..Settings::default() });
    // A channel whose other end says nothing.
    let (_sender, channel) = http_body_util::channel::Channel::<Bytes>::new(1);
    let reply = post(&server, "/v1/embeddings", Body::new(channel)).await;
    assert_eq!(reply.status, 408);
}
