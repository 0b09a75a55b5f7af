//! Requests as clients really write them: too early, too much, and in old versions.

use crate::server::{server, server_with};
use crate::sockets::{Running, any_port};
use qwen3_server::{Bound, ServeOptions, Settings};
use std::io::{Read, Write};
use std::net::TcpStream;

const BODY: &str = r#"{"inputs": "a", "input": "a", "query": "q", "texts": ["a"]}"#;
const JSON: &str = "content-type: application/json\r\n";

async fn served(settings: Settings) -> Running {
    Running::on_any_port(server_with(settings), ServeOptions::default()).await
}

/// What comes back until the server closes.
fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The answer to a head and a body.
fn ask(server: &Running, head: &str, body: &str) -> String {
    let mut stream = server.connect();
    stream.write_all([head, "\r\n", body].concat().as_bytes()).unwrap();
    rest(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_hears_why_and_is_not_cut_off() {
    let settings = Settings {
        payload_limit: 1000,
        api_keys: vec!["k".parse().unwrap()],
        ..Settings::default()
    };
    let server = served(settings).await;
    let large = "x".repeat(20_000_000);
    for (path, key, status) in [
        ("/v1/embeddings", "k", 413),
        ("/embed", "k", 413),
        ("/embed", "wrong", 401),
        ("/v2/rerank", "wrong", 401),
        ("/nowhere", "k", 404),
        ("/health", "k", 405),
    ] {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{JSON}");
        let known = format!("{head}content-length: {}\r\n", large.len());
        let unknown = format!("{head}transfer-encoding: chunked\r\n");
        let chunked = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
        let upgrade = format!("{known}connection: upgrade\r\nupgrade: h2c\r\n");
        for answer in [
            ask(&server, &known, &large),
            ask(&server, &unknown, &chunked),
            ask(&server, &upgrade, &large),
        ] {
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        }
    }
    let head = format!("GET /health HTTP/1.1\r\nhost: {}\r\n", "x".repeat(1_000_000));
    let answer = ask(&server, &head, "");
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    server.stop().await;
}

/// Else the client takes the connection for one that it may use again.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_answered_before_the_body_hears_that_the_connection_ends() {
    let settings = Settings { api_keys: vec!["k".parse().unwrap()], ..Settings::default() };
    let server = served(settings).await;
    for (path, key, status) in
        [("/embed", "wrong", 401), ("/nowhere", "k", 404), ("/health", "k", 405)]
    {
        let length = BODY.len();
        let mut stream = server.connect();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n");
        write!(stream, "{head}{JSON}content-length: {length}\r\n\r\n").unwrap();
        let answer = rest(stream);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.contains("connection: close\r\n"), "{path}: {answer}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_first_sends_a_body_only_if_it_is_wanted() {
    let settings = Settings {
        payload_limit: 1000,
        api_keys: vec!["k".parse().unwrap()],
        ..Settings::default()
    };
    let server = served(settings).await;
    for (length, key, status) in [(2_000_000, "k", 413), (BODY.len(), "wrong", 401)] {
        let head = format!(
            "POST /embed HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{JSON}\
             content-length: {length}\r\nexpect: 100-continue\r\n"
        );
        let answer = ask(&server, &head, "");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    let mut stream = server.connect();
    write!(
        stream,
        "POST /embed HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n{JSON}\
         connection: close\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        BODY.len()
    )
    .unwrap();
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut told = vec![0; go_on.len()];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(String::from_utf8(told).unwrap(), go_on);
    stream.write_all(BODY.as_bytes()).unwrap();
    assert!(rest(stream).starts_with("HTTP/1.1 200 "));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_careful_clients_are_answered_at_once() {
    let server = Running::on_any_port(server(), ServeOptions::default()).await;
    let length = BODY.len();
    // nginx's default; a client that would like HTTP/2, with a body in chunks, as Java's.
    let old = format!("POST /embed HTTP/1.0\r\n{JSON}content-length: {length}\r\n");
    let answer = ask(&server, &old, BODY);
    assert!(answer.starts_with("HTTP/1.0 200 ") && answer.contains("\r\n\r\n[["), "{answer}");
    let kept = format!("{old}connection: keep-alive\r\n\r\n{BODY}");
    let answer = ask(&server, &[&kept, old.as_str()].concat(), BODY);
    assert_eq!(answer.matches("HTTP/1.0 200 ").count(), 2, "{answer}");
    let upgrade = format!(
        "POST /embed HTTP/1.1\r\nhost: x\r\n{JSON}connection: Upgrade, HTTP2-Settings\r\n\
         upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
    );
    let whole = format!("{upgrade}content-length: {length}\r\n\r\n{BODY}");
    let last = "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let answer = ask(&server, &[&whole, last].concat(), "");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("[["), "{answer}");
    let chunks =
        format!("{upgrade}transfer-encoding: chunked\r\n\r\n{length:x}\r\n{BODY}\r\n0\r\n\r\n");
    let answer = ask(&server, &[&chunks, last].concat(), "");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("[["), "{answer}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extra_slashes_change_nothing() {
    let server =
        served(Settings { api_keys: vec!["k".parse().unwrap()], ..Settings::default() }).await;
    let status = |method: &str, path: &str, key: &str| {
        let length = BODY.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{JSON}\
             connection: close\r\ncontent-length: {length}\r\n"
        );
        ask(&server, &head, BODY)["HTTP/1.1 ".len()..][..3].to_owned()
    };
    for path in ["//embed", "/v1//embeddings", "/v1/embeddings/", "/rerank/", "///api//embed///"] {
        assert_eq!(status("POST", path, "k"), "200", "{path}");
        assert_eq!(status("POST", path, "wrong"), "401", "{path}");
    }
    for path in ["/health/", "//ui", "/docs/", "//openapi.json", "//"] {
        assert_eq!(status("GET", path, "wrong"), "200", "{path}");
    }
    for path in ["//info", "/v1/models/", "//stats/"] {
        assert_eq!(status("GET", path, "wrong"), "401", "{path}");
    }
    // Encoded, they are no way around a key either.
    for path in ["/%65mbed", "/%2Fembed", "/embed%2F", "/./embed", "/health/../embed", "/embed;x"] {
        assert!(["401", "404"].contains(&&*status("POST", path, "wrong")), "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_alone_are_served_in_the_same_way() {
    let bound = Bound::new(&any_port()).await.unwrap();
    let app = crate::server::app_with(Settings::default());
    let metrics = app.metrics().clone();
    let options = ServeOptions { metrics, ..ServeOptions::default() };
    let server = Running::new(bound.listen().unwrap(), qwen3_server::metrics_router(&app), options);
    let head = "GET //metrics/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let answer = ask(&server, head, "");
    assert!(answer.lines().any(|line| line == "qwen3_connections 1"), "{answer}");
    server.stop().await;
}
