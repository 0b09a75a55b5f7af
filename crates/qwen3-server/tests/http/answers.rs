//! The shape of every answer. Numbers are compared in `numbers.rs`.

use crate::server::{RERANKER, Reply, get, post, scheduling, server, server_of};
use qwen3_server::Settings;
use serde_json::{Map, Value, json};

/// The answer with numbers, ids and times made the same on every machine.
fn shape(reply: &Reply) -> String {
    let body = match reply.body.is_empty() {
        true => "no body".to_owned(),
        false => serde_json::to_string(&plain("", reply.json())).unwrap(),
    };
    format!("{} {body}", reply.status.as_u16())
}

fn plain(name: &str, value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => json!("<number>"),
        Value::Number(_) if name.ends_with("_duration") || name == "created" => json!("<time>"),
        Value::Number(_) if name == "max_batch_tokens" => json!("<by device>"),
        Value::String(_) if name == "id" || name == "embedding" || name == "data" => {
            json!("<text>")
        }
        Value::String(text) => json!(text.rsplit("/tests/").next()),
        Value::Array(list) if list.len() > 8 && list.iter().all(Value::is_f64) => {
            json!(format!("<{} numbers>", list.len()))
        }
        Value::Array(list) => list.into_iter().map(|value| plain("", value)).collect(),
        Value::Object(object) => {
            let plain = |(name, value): (String, Value)| (name.clone(), plain(&name, value));
            Value::Object(object.into_iter().map(plain).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// What these bodies are answered with.
async fn answers(requests: &[(&str, Value)]) -> String {
    let server = server();
    let mut text = String::new();
    for (path, body) in requests {
        let reply = match body.is_null() {
            true => get(&server, path).await,
            false => post(&server, path, body.to_string()).await,
        };
        text += &format!("{path} {body}\n    {}\n", shape(&reply));
    }
    text
}

#[tokio::test]
async fn text_embeddings_inference() {
    let sides = json!({"inputs": "a b c", "truncation_direction": "Left", "truncate": true});
    insta::assert_snapshot!(
        answers(&[
            ("/embed", json!({"inputs": "Explain gravity"})),
            ("/embed", json!({"inputs": ["a", "b"], "normalize": false, "prompt_name": "query"})),
            ("/embed", json!({"inputs": [72, 69], "dimensions": 9})),
            ("/embed", json!({"inputs": [[72], "a", [69, 70]]})),
            ("/embed", json!({"inputs": "a", "instruction": "Find it", "truncate": null})),
            ("/embed", sides),
            ("/embed_all", json!({"inputs": ["a", "Explain"]})),
            ("/similarity", json!({"inputs": {"source_sentence": "a", "sentences": ["b", "c"]}})),
            (
                "/similarity",
                json!({"inputs": {"source_sentence": "a", "sentences": ["b"]},
                "parameters": {"prompt_name": "query", "truncate": false}})
            ),
            ("/rerank", json!({"query": "q", "texts": ["a", "b"]})),
            (
                "/rerank",
                json!({"query": "q", "texts": ["a"], "return_text": true, "raw_scores": true,
                "instruction": "Find it"})
            ),
            ("/predict", json!({"inputs": ["q", "a"]})),
            ("/predict", json!({"inputs": [["q", "a"], ["q", "b"]], "raw_scores": true})),
            ("/tokenize", json!({"inputs": "é<think><|im_end|>"})),
            ("/tokenize", json!({"inputs": ["a", ""], "add_special_tokens": false})),
            ("/tokenize", json!({"inputs": "a", "prompt_name": "document"})),
            ("/decode", json!({"ids": [72, 69, 606]})),
            ("/decode", json!({"ids": [[72], [606]], "skip_special_tokens": false})),
            ("/info", Value::Null),
            ("/health", Value::Null),
            ("/ping", Value::Null),
            ("/", Value::Null),
        ])
        .await
    );
}

#[tokio::test]
async fn one_route_for_everything() {
    let sentences = json!({"source_sentence": "a", "sentences": ["b", "c"]});
    insta::assert_snapshot!(
        answers(&[
            ("/", json!({"inputs": "a"})),
            ("/invocations", json!({"inputs": ["a", "b"], "dimensions": 9})),
            ("/invocations", json!({"inputs": sentences})),
            ("/invocations", json!({"query": "q", "texts": ["a", "b"]})),
            (
                "/vertex",
                json!({"instances": [{"inputs": "a"}, {"inputs": sentences},
                {"query": "q", "texts": ["a"], "return_text": true}]})
            ),
        ])
        .await
    );
}

#[tokio::test]
async fn openai() {
    insta::assert_snapshot!(
        answers(&[
            ("/v1/embeddings", json!({"input": "a", "model": "any"})),
            ("/v1/embeddings", json!({"input": ["a", "b"], "dimensions": 9, "user": "u"})),
            ("/v1/embeddings", json!({"input": [72, 69], "encoding_format": "base64"})),
            ("/v1/embeddings", json!({"input": [[72], [69]], "encoding_format": "float"})),
            ("/v1/embeddings", json!({"input": "a b c d e f", "truncate_prompt_tokens": 3})),
            ("/v1/embeddings", json!({"input": "a", "prompt_name": "query", "normalize": false})),
            ("/embeddings", json!({"input": "a"})),
            ("/v1/models", Value::Null),
        ])
        .await
    );
}

#[tokio::test]
async fn rerankers() {
    let documents = json!(["a", {"text": "b", "title": "B"}, "c"]);
    insta::assert_snapshot!(
        answers(&[
            ("/v2/rerank", json!({"model": "m", "query": "q", "documents": documents})),
            (
                "/v2/rerank",
                json!({"query": "q", "documents": ["a", "b"], "top_n": 1, "max_tokens_per_doc": 1,
                "instruction": "Find it"})
            ),
            (
                "/v1/rerank",
                json!({"query": "q", "documents": ["a"], "max_chunks_per_doc": 1,
                "return_documents": true})
            ),
            ("/v1/rerank", json!({"model": "m", "query": "q", "documents": documents, "top_n": 2})),
            ("/v1/rerank", json!({"query": "q", "documents": ["a"], "return_documents": false})),
            ("/v1/rerank", json!({"query": "q", "documents": ["a"], "instruct": "Find it"})),
            ("/v1/rerank", json!({"query": "q", "texts": ["a"], "return_text": true})),
            ("/reranking", json!({"query": "q", "documents": ["a"]})),
            ("/v1/reranking", json!({"query": "q", "documents": ["a"]})),
            ("/rerank", json!({"query": "q", "documents": documents, "top_n": 2})),
            ("/rerank", json!({"query": "q", "documents": ["a"], "use_activation": false})),
            ("/score", json!({"text_1": "q", "text_2": ["a", "b"]})),
            ("/v1/score", json!({"queries": ["q", "r"], "documents": ["a", "b"]})),
            ("/score", json!({"data_1": "q", "data_2": "a", "truncate_prompt_tokens": -1})),
            ("/pooling", json!({"input": ["a"], "model": "m"})),
        ])
        .await
    );
}

#[tokio::test]
async fn ollama_and_llama_cpp() {
    insta::assert_snapshot!(
        answers(&[
            ("/api/embed", json!({"model": "m", "input": "a", "options": {}, "keep_alive": "5m"})),
            ("/api/embed", json!({"model": "m", "input": ["a", "b"], "dimensions": 9})),
            ("/api/embeddings", json!({"model": "m", "prompt": "a"})),
            ("/api/tags", Value::Null),
            ("/api/version", Value::Null),
            ("/embedding", json!({"content": "a"})),
            ("/embedding", json!({"input": ["a", "b"], "embd_normalize": -1})),
        ])
        .await
    );
}

#[tokio::test]
async fn ollama_tells_what_file_a_model_is_of() {
    let server =
        server_of("gguf/tiny-embedding-q8_0.gguf", RERANKER, Settings::default(), scheduling());
    let found = get(&server, "/api/tags").await.json();
    let of = |at: usize| {
        let details = &found["models"][at]["details"];
        [&details["format"], &details["quantization_level"]]
            .map(|text| text.as_str().unwrap().to_owned())
    };
    assert_eq!(
        (of(0), of(1)),
        (["gguf", "Q8_0"].map(str::to_owned), ["safetensors", "BF16"].map(str::to_owned))
    );
}
