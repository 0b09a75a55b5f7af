//! What answers say of the tokens that a request took.

use crate::requests::SERVER;
use crate::server::{EMBEDDER, RERANKER, Reply, post, scheduling, server_of};
use qwen3_server::{SchedulerSettings, Settings};
use serde_json::json;

#[tokio::test]
async fn each_text_counts_whether_it_was_computed_before_or_not() {
    let cached = SchedulerSettings { cache_bytes: 1_000_000, ..scheduling() };
    let cached = server_of(EMBEDDER, RERANKER, Settings::default(), cached);
    for (path, of_one, of_two) in [
        ("/embed", json!({"inputs": "a b"}), json!({"inputs": ["a b", "a b"]})),
        ("/v1/embeddings", json!({"input": "a b"}), json!({"input": ["a b", "a b"]})),
        ("/pooling", json!({"input": "a b"}), json!({"input": ["a b", "a b"]})),
        ("/api/embed", json!({"input": "a b"}), json!({"input": ["a b", "a b"]})),
        ("/embedding", json!({"content": "a b"}), json!({"content": ["a b", "a b"]})),
        (
            "/v1/rerank",
            json!({"query": "q", "documents": ["a"]}),
            json!({"query": "q", "documents": ["a", "a"]}),
        ),
        (
            "/v2/rerank",
            json!({"query": "q", "documents": ["a"]}),
            json!({"query": "q", "documents": ["a", "a"]}),
        ),
        (
            "/rerank",
            json!({"query": "q", "texts": ["a"]}),
            json!({"query": "q", "texts": ["a", "a"]}),
        ),
        (
            "/score",
            json!({"text_1": "q", "text_2": "a"}),
            json!({"text_1": "q", "text_2": ["a", "a"]}),
        ),
        ("/predict", json!({"inputs": ["q", "a"]}), json!({"inputs": [["q", "a"], ["q", "a"]]})),
    ] {
        let mut counts = vec![];
        for server in [&SERVER, &cached, &cached] {
            let (one, two) = (
                post(server, path, of_one.to_string()).await,
                post(server, path, of_two.to_string()).await,
            );
            counts.push((tokens(&one), tokens(&two)));
        }
        let (one, two) = counts[0];
        assert!(one > 0 && two == 2 * one, "{path}: {counts:?}");
        assert_eq!(counts, [(one, two); 3], "{path}");
    }
}

/// What an answer says of its tokens; in the header and in the body it is the same.
fn tokens(reply: &Reply) -> u64 {
    let counted = reply.header("x-compute-tokens").parse().unwrap();
    let body = reply.json();
    for place in ["/usage/prompt_tokens", "/usage/total_tokens", "/prompt_eval_count"] {
        if let Some(told) = body.pointer(place) {
            assert_eq!(told, &json!(counted), "{body}");
        }
    }
    counted
}
