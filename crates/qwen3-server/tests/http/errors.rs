//! What is refused, and how each dialect says so.

use crate::server::{EMBEDDER, RERANKER, post, scheduling, server, server_of};
use axum::Router;
use qwen3_server::Settings;
use serde_json::{Value, json};

/// The status and body of each refused request.
async fn refusals(server: &Router, requests: &[(&str, Value)]) -> String {
    let mut text = String::new();
    for (path, body) in requests {
        let body = match body {
            Value::String(raw) => raw.clone(),
            json => json.to_string(),
        };
        let reply = post(server, path, body.clone()).await;
        assert!(reply.status.is_client_error(), "{path} {body}: {reply:?}");
        text += &format!("{path} {body}\n    {} {}\n", reply.status.as_u16(), reply.text());
    }
    text
}

#[tokio::test]
async fn bad_fields_are_named() {
    let pair = json!({"query": "q", "documents": []});
    insta::assert_snapshot!(
        refusals(
            &server(),
            &[
                ("/embed", json!("{")),
                ("/embed", json!({})),
                ("/embed", json!({"inputs": []})),
                ("/embed", json!({"inputs": 3})),
                ("/embed", json!({"inputs": "a", "dimensions": 0})),
                ("/embed", json!({"inputs": "a", "dimensions": 33})),
                ("/embed", json!({"inputs": "a", "prompt_name": "nope"})),
                ("/embed", json!({"inputs": "a", "prompt_name": "query", "instruction": "x"})),
                ("/embed", json!({"inputs": [[72], [99999]]})),
                ("/embed", json!({"inputs": "a", "truncation_direction": "up"})),
                ("/similarity", json!({"inputs": {"source_sentence": "a", "sentences": []}})),
                ("/predict", json!({"inputs": "alone"})),
                ("/predict", json!({"inputs": [["q", "a"], ["alone"]]})),
                ("/rerank", json!({"query": null, "texts": ["a"]})),
                ("/rerank", json!({"query": "q", "texts": []})),
                ("/rerank", json!({"query": "q", "texts": ["a"], "prompt_name": "query"})),
                ("/decode", json!({"ids": [99999]})),
                ("/embed_sparse", json!({"inputs": "a"})),
                ("/embed_sparse", json!({})),
                ("/invocations", json!({"input": "a"})),
                ("/", json!({"query": "q"})),
                ("/vertex", json!({"instances": []})),
                ("/vertex", json!({"instances": [{"inputs": "a"}, {"inputs": []}, 3]})),
                ("/v1/embeddings", json!("[")),
                ("/v1/embeddings", json!({"input": []})),
                ("/v1/embeddings", json!({"input": "a", "dimensions": 33})),
                ("/v1/embeddings", json!({"input": "a", "truncate_prompt_tokens": 0})),
                ("/v1/embeddings", json!({"input": "a", "encoding_format": "hex"})),
                ("/v2/rerank", json!({"query": "q", "documents": ["a"], "max_tokens_per_doc": 0})),
                ("/v2/rerank", pair.clone()),
                ("/v1/rerank", pair.clone()),
                ("/rerank", pair),
                ("/score", json!({"text_1": ["q", "r"], "text_2": ["a"]})),
                ("/api/embed", json!({"input": ["a", 5]})),
                ("/embedding", json!({"content": "a", "embd_normalize": 7})),
            ]
        )
        .await
    );
}

#[tokio::test]
async fn a_model_of_the_other_kind_is_told() {
    let embedder = server_of(EMBEDDER, "", Settings::default(), scheduling());
    let reranker = server_of("", RERANKER, Settings::default(), scheduling());
    let rank = json!({"query": "q", "texts": ["a"]});
    let cohere = json!({"query": "q", "documents": ["a"]});
    let mut text = refusals(&embedder, &[("/rerank", rank), ("/v2/rerank", cohere)]).await;
    let embed = json!({"inputs": "a"});
    let openai = json!({"input": "a"});
    let to_all = ("/invocations", embed.clone());
    text += &refusals(&reranker, &[("/embed", embed), ("/v1/embeddings", openai), to_all]).await;
    insta::assert_snapshot!(text);
}
