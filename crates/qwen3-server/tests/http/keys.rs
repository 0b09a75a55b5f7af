//! Keys: what wants one, whatever way a request takes to it.

use crate::server::{Reply, get, post, send, server_with};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use qwen3_server::{ApiKey, Settings, document};
use std::collections::BTreeSet;

/// Pages and what machines watch; all else wants a key.
const OPEN: [(&str, &str); 8] = [
    ("get", "/"),
    ("get", "/health"),
    ("get", "/ping"),
    ("get", "/metrics"),
    ("get", "/ui"),
    ("get", "/docs"),
    ("get", "/openapi.json"),
    ("get", "/api-doc/openapi.json"),
];
/// Of those, what is no route for programs.
const PAGES: [&str; 4] = ["/ui", "/docs", "/openapi.json", "/api-doc/openapi.json"];
/// Something for each route.
const BODY: &str = r#"{"inputs": "a", "input": "a", "query": "q", "documents": ["a"],
    "texts": ["a"], "content": "a", "prompt": "a", "text_1": "a", "text_2": "a", "ids": [72],
    "instances": [{"inputs": "a"}]}"#;

fn with_keys(settings: Settings) -> Router {
    let api_keys: Vec<ApiKey> = ["one", "two"].map(|key| key.parse().unwrap()).to_vec();
    server_with(Settings { api_keys, ..settings })
}

async fn with_key(server: &Router, path: &str, key: &str) -> u16 {
    let request = Request::get(path).header("authorization", format!("Bearer {key}"));
    send(server, request.body(Body::empty()).unwrap()).await.status.as_u16()
}

/// Every method and path of the router, as its source has them: nothing is
/// forgotten, and axum doesn't tell.
fn routes() -> BTreeSet<(String, String)> {
    let source = include_str!("../../src/router.rs");
    let routes = source.split(".route(").skip(1).flat_map(|route| {
        let mut parts = route.splitn(3, '"');
        let path = parts.nth(1).expect("a path comes first");
        let mut depth = 1;
        let is_inside = |c: &char| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth > 0
        };
        let handlers: String =
            parts.next().into_iter().flat_map(str::chars).take_while(is_inside).collect();
        let has = |method: &str| handlers.contains(&format!("{method}("));
        let methods = ["get", "post"].into_iter().filter(|method| has(method));
        methods.map(|method| (method.to_owned(), path.to_owned())).collect::<Vec<_>>()
    });
    routes.collect()
}

/// Every method and path of the OpenAPI document.
fn described() -> BTreeSet<(String, String)> {
    let paths = document().paths.paths;
    let routes = paths.into_iter().flat_map(|(path, item)| {
        let methods = [("get", item.get.is_some()), ("post", item.post.is_some())];
        methods.map(|(method, is_there)| is_there.then(|| (method.to_owned(), path.clone())))
    });
    routes.flatten().collect()
}

#[test]
fn the_document_lists_every_route_of_the_router() {
    let routes = routes();
    assert!(routes.len() > 30 && routes.contains(&("post".to_owned(), "/embed".to_owned())));
    let without_pages = routes.into_iter().filter(|(_, path)| !PAGES.contains(&path.as_str()));
    assert_eq!(without_pages.collect::<BTreeSet<_>>(), described());
}

/// Other ways to write a path.
fn spellings(path: &str) -> Vec<String> {
    let encoded = match path.char_indices().nth_back(0) {
        Some((at, last)) if at > 0 => format!("{}%{:02x}", &path[..at], u32::from(last)),
        _ => "/%2f".to_owned(),
    };
    vec![
        path.to_owned(),
        format!("/{path}"),
        format!("{path}/"),
        format!("{}//", path.replace('/', "//")),
        format!("/.{path}"),
        format!("/health/..{path}"),
        format!("{path}?key=one"),
        path.to_uppercase(),
        format!("/embedder{path}"),
        format!("/reranker{path}"),
        encoded,
    ]
}

#[tokio::test]
async fn nothing_but_what_is_declared_open_is_open() {
    let server = with_keys(Settings::default());
    for (_, path) in routes().union(&described()) {
        for spelling in spellings(path) {
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
                let request = Request::builder().method(method).uri(&spelling);
                let request = request.header("content-type", "application/json");
                let reply = send(&server, request.body(Body::from(BODY)).unwrap()).await;
                let is_read = ["GET", "HEAD"].contains(&method);
                let is_open = is_read && OPEN.iter().any(|(_, open)| open == path);
                let is_refused = [401, 404, 405].contains(&reply.status.as_u16());
                // The answer to what a browser asks before it asks.
                let is_preflight = method == "OPTIONS" && reply.body.is_empty();
                assert!(is_open || is_preflight || is_refused, "{method} {spelling}: {reply:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_route_but_the_open_ones_says_that_it_wants_a_key() {
    let server = with_keys(Settings::default());
    for (method, path) in routes() {
        let reply: Reply = match method.as_str() {
            "get" => get(&server, &path).await,
            _ => post(&server, &path, BODY).await,
        };
        let is_open = OPEN.contains(&(method.as_str(), path.as_str()));
        let expected = if is_open { 200 } else { 401 };
        assert_eq!(reply.status.as_u16(), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn each_key_opens_and_each_dialect_refuses_in_its_way() {
    let server = with_keys(Settings::default());
    for key in ["one", "two"] {
        assert_eq!(with_key(&server, "/info", key).await, 200);
    }
    assert_eq!(with_key(&server, "/info", "three").await, 401);
    let tei = post(&server, "/embed", BODY).await;
    assert_eq!((tei.status.as_u16(), tei.body.len()), (401, 0));
    let openai = post(&server, "/v1/embeddings", BODY).await;
    assert_eq!(openai.json()["error"]["code"], "invalid_api_key");
    let cohere = post(&server, "/v2/rerank", BODY).await;
    assert!(cohere.status == 401 && cohere.json()["message"].is_string());
}

#[tokio::test]
async fn what_machines_watch_wants_a_key_if_asked_for() {
    let server = with_keys(Settings { protect_monitoring: true, ..Settings::default() });
    for closed in ["/", "/health", "/metrics", "/ping", "/stats", "/v1/models", "/api/tags"] {
        assert_eq!(get(&server, closed).await.status, 401, "{closed}");
        assert_eq!(with_key(&server, closed, "two").await, 200, "{closed}");
    }
}
