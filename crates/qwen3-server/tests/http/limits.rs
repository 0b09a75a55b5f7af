//! Limits: what is beyond them is refused with the status that clients know.

use crate::server::{EMBEDDER, RERANKER, post, scheduling, server_of, server_with};
use axum::body::{Body, Bytes};
use axum::http::Request;
use qwen3_server::{QueueLimits, SchedulerSettings, Settings};
use serde_json::json;
use std::time::Duration;
use tower::ServiceExt;

#[tokio::test]
async fn a_batch_or_body_that_is_too_large_is_refused() {
    let settings = Settings { max_client_batch_size: 2, payload_limit: 100, ..Settings::default() };
    let server = server_with(settings);
    let reply = post(&server, "/embed", r#"{"inputs": ["a", "b", "c"]}"#).await;
    assert_eq!(reply.status, 422);
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert!(error.starts_with("batch size 3 > maximum allowed batch size 2; "), "{error}");
    assert!(error.ends_with("`--max-client-batch-size`"), "{error}");
    let body = json!({"input": "x".repeat(100)}).to_string();
    let reply = post(&server, "/v1/embeddings", body).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.json()["error"]["type"]),
        (413, &json!("invalid_request_error"))
    );
    let error = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(error.ends_with("a larger `--payload-limit`"), "{error}");
}

#[tokio::test]
async fn large_answers_that_nobody_reads_keep_others_from_being_made() {
    let server = server_with(Settings { answer_limit: 128 << 10, ..Settings::default() });
    let ask = |texts: usize| {
        let body = json!({ "inputs": vec!["a"; texts] }).to_string();
        server.clone().oneshot(Request::post("/embed").body(Body::from(body)).unwrap())
    };
    let mut unread = vec![];
    for _ in 0..4 {
        unread.push(ask(1024).await.unwrap());
    }
    let mut fifth = Box::pin(ask(1024));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut fifth).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(ask(2).await.unwrap().status(), 200);
    unread.pop();
    assert_eq!(fifth.await.unwrap().status(), 200);
}

/// As Python writes it: two characters of Chinese are twelve bytes.
#[tokio::test]
async fn what_openai_takes_passes_with_default_settings() {
    let text = "\\u91cd\\u529b".repeat(180);
    let texts = vec![format!("\"{text}\""); 2048].join(", ");
    let body = format!("{{\"input\": [{texts}]}}");
    assert!(body.len() > 4_000_000);
    let reply = post(&server_with(Settings::default()), "/v1/embeddings", body).await;
    assert_eq!(reply.status, 200, "{}", &reply.text()[..200]);
    assert_eq!(reply.json()["data"].as_array().unwrap().len(), 2048);
}

#[tokio::test]
async fn an_answer_that_would_be_too_large_is_refused_before_it_is_computed() {
    // The tiny model's vectors have 32 numbers, 128 bytes.
    let server = server_with(Settings { answer_limit: 10 * 128, ..Settings::default() });
    let equal = |n: usize| json!({ "inputs": vec!["a"; n] });
    assert_eq!(post(&server, "/embed", equal(10).to_string()).await.status, 200);
    let all = |n: usize| json!({ "inputs": vec!["a b c d"; n] }).to_string();
    assert_eq!(post(&server, "/embed_all", all(1)).await.status, 200);
    let instances = json!({ "instances": vec![equal(4); 3] });
    for (path, body) in [
        ("/embed", equal(11).to_string()),
        ("/embed_all", all(3)),
        ("/vertex", instances.to_string()),
        ("/tokenize", json!({ "inputs": "a b ".repeat(20) }).to_string()),
        ("/decode", json!({ "ids": vec![72; 2000] }).to_string()),
    ] {
        let reply = post(&server, path, body).await;
        assert_eq!(reply.status, 422, "{path}: {}", reply.text());
        assert!(reply.text().contains("`--answer-limit`"), "{path}: {}", reply.text());
    }
}

#[tokio::test]
async fn instances_count_as_one_request() {
    let server = server_with(Settings { max_client_batch_size: 10, ..Settings::default() });
    let instances = |n: usize| {
        let texts = json!({ "inputs": vec!["a"; n] });
        let compared = json!({ "inputs": { "source_sentence": "a", "sentences": ["b", "c"] } });
        let ranked = json!({ "query": "q", "texts": ["a", "b"] });
        json!({ "instances": [texts, compared, ranked] }).to_string()
    };
    assert_eq!(post(&server, "/vertex", instances(5)).await.status, 200);
    let reply = post(&server, "/vertex", instances(6)).await;
    assert_eq!(reply.status, 422);
    assert!(reply.text().contains("batch size 11 > maximum allowed batch size 10"));
}

#[tokio::test]
async fn tokens_of_instances_are_counted_together() {
    let queue = QueueLimits { texts: 100, tokens: 100 };
    let scheduling = SchedulerSettings { queue, ..scheduling() };
    let server = server_of(EMBEDDER, RERANKER, Settings::default(), scheduling);
    let instance = |i: usize| json!({ "inputs": format!("text {i} {}", "a ".repeat(20)) });
    let all = |n: usize| json!({ "instances": (0..n).map(instance).collect::<Vec<_>>() });
    assert_eq!(post(&server, "/vertex", all(1).to_string()).await.status, 200);
    let reply = post(&server, "/vertex", all(20).to_string()).await;
    assert_eq!(reply.status, 422, "{}", reply.text());
    assert!(reply.text().contains("`--max-queue-tokens`"), "{}", reply.text());
}

#[tokio::test]
async fn a_list_that_is_too_long_is_not_read() {
    let server = server_with(Settings::default());
    let texts = format!("[{}\"\"]", "\"\",".repeat(30_000));
    for (path, field) in [("/embed", "inputs"), ("/v1/embeddings", "input"), ("/rerank", "texts")] {
        // Not JSON, which only who reads on would find.
        let reply = post(&server, path, format!("{{\"{field}\": {texts}}} and more")).await;
        assert!(reply.text().contains("batch size 30001 > "), "{path}: {}", reply.text());
    }
    let server = server_with(Settings { payload_limit: 100_000, ..Settings::default() });
    let ids = format!("{{\"inputs\": [{}0]}}", "0,".repeat(40_000));
    let reply = post(&server, "/embed", ids).await;
    assert_eq!(reply.status, 413);
    assert!(reply.text().contains("more than 12500 values"), "{}", reply.text());
}

#[tokio::test]
async fn bodies_that_are_held_have_a_bound() {
    let (payload_limit, max_concurrent_bytes) = (1000, 1000);
    let settings = Settings { payload_limit, max_concurrent_bytes, ..Settings::default() };
    let server = server_with(settings);
    let (mut sender, channel) = http_body_util::channel::Channel::<Bytes>::new(1);
    let held = tokio::spawn({
        let server = server.clone();
        async move { post(&server, "/embed", Body::new(channel)).await }
    });
    let first = format!("{{\"inputs\": \"a\"{}", " ".repeat(900));
    sender.send_data(first.into()).await.unwrap();
    let body = || json!({ "input": "x".repeat(200) }).to_string();
    loop {
        // Until the first part has been read.
        tokio::task::yield_now().await;
        let reply = post(&server, "/v1/embeddings", body()).await;
        if reply.status != 200 {
            assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (429, "1"));
            assert!(reply.text().contains("`--max-concurrent-bytes`"), "{}", reply.text());
            break;
        }
    }
    sender.send_data("}".into()).await.unwrap();
    drop(sender);
    assert_eq!(held.await.unwrap().status, 200);
    assert_eq!(post(&server, "/v1/embeddings", body()).await.status, 200);
}

#[tokio::test]
async fn tokens_to_look_at_have_a_deadline_and_take_turns() {
    let server = server_with(Settings { tokenization_workers: 1, ..Settings::default() });
    let many = || json!({ "inputs": vec!["a b c d e f g ".repeat(70); 1000] }).to_string();
    let ids = json!({ "ids": vec![vec![72; 100]; 2000] }).to_string();
    for (path, body) in [("/tokenize", many()), ("/decode", ids)] {
        let request = axum::http::Request::post(path).header("x-request-timeout", "0.001");
        let request = request.header("content-type", "application/json");
        let reply = crate::server::send(&server, request.body(Body::from(body)).unwrap()).await;
        assert_eq!(reply.status, 504, "{path}");
    }
    // The long one is begun first and ends last.
    let (long, short) = (post(&server, "/tokenize", many()), async {
        post(&server, "/embed", r#"{"inputs": "a"}"#).await;
        std::time::Instant::now()
    });
    let long = async { (long.await.status, std::time::Instant::now()) };
    let ((status, long_ended), short_ended) = tokio::join!(long, short);
    assert!(status == 200 && short_ended < long_ended);
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
