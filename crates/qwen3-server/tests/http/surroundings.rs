//! Browsers, request ids, metrics, pages, the OpenAPI document.

use crate::server::{get, post, send, server, server_with};
use axum::body::Body;
use axum::http::Request;
use qwen3_server::Settings;
use serde_json::Value;

#[tokio::test]
async fn a_web_page_may_send_a_key_and_what_its_library_adds() {
    const HEADERS: &str = "authorization,content-type,x-stainless-os,x-stainless-retry-count";
    let cors_allow_origins = vec!["https://a.example".parse().unwrap()];
    let api_keys = vec!["one".parse().unwrap()];
    let server = server_with(Settings { cors_allow_origins, api_keys, ..Settings::default() });
    let asks = |origin: &str| {
        let request = Request::options("/v1/embeddings")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", HEADERS);
        request.body(Body::empty()).unwrap()
    };
    let reply = send(&server, asks("https://a.example")).await;
    assert_eq!(reply.header("access-control-allow-origin"), "https://a.example");
    assert_eq!(reply.header("access-control-allow-headers"), HEADERS);
    let reply = send(&server, asks("https://b.example")).await;
    assert_eq!(reply.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn an_answer_has_the_id_of_its_request() {
    let server = server();
    let request = Request::get("/health").header("x-request-id", "mine");
    let reply = send(&server, request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.header("x-request-id"), "mine");
    assert_eq!(get(&server, "/health").await.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let server = server();
    post(&server, "/embed", r#"{"inputs": ["a", "b", "a"]}"#).await;
    post(&server, "/rerank", r#"{"query": "q", "texts": ["a"]}"#).await;
    post(&server, "/embed", r#"{"inputs": ["a"], "dimensions": 99}"#).await;
    let text = get(&server, "/metrics").await.text();
    for line in [
        "te_request_count{method=\"batch\"} 1",
        "te_request_count{method=\"single\"} 1",
        "te_request_success{method=\"batch\"} 1",
        "te_request_failure{err=\"validation\"} 1",
        "te_embed_count 3",
        "te_predict_success 1",
        "te_queue_size 0",
        "te_request_duration_count 2",
        "te_embed_inference_duration_count 1",
        "te_batch_next_size_count 2",
        "qwen3_engine_events{event=\"shared\",model=\"embedding\"} 1",
        "qwen3_http_responses{route=\"/embed\",status=\"422\"} 1",
        "qwen3_replicas_ready{model=\"reranker\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

#[tokio::test]
async fn pages_ask_no_other_host() {
    for path in ["/ui", "/docs"] {
        let page = get(&server(), path).await;
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
        let text = page.text();
        for foreign in ["https://", "http://", "src=\"//", "@import"] {
            let found = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!found.contains(foreign), "{path} has {foreign}");
        }
    }
}

#[tokio::test]
async fn the_document_describes_every_route() {
    let document = get(&server(), "/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    insta::assert_debug_snapshot!(paths);
    // Every reference has its schema.
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    let found = document.pointer(reference.trim_start_matches('#'));
                    assert!(found.is_some(), "{reference}");
                }
                open.extend(object.values());
            }
            Value::Array(list) => open.extend(list),
            _ => {}
        }
    }
}
