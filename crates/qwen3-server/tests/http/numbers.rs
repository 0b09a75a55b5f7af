//! The numbers of every dialect are those of the engine, to the last bit.

use crate::server::{EMBEDDER, RERANKER, fixture, options, post, server};
use base64::Engine;
use qwen3_engine::{Embedder, EncodeOptions, Prompt, RankOptions, Reranker};
use serde_json::{Value, json};

const TEXTS: [&str; 3] = ["Explain gravity", "重力 🜚", "What is the capital of China?"];

fn vectors(prompt: Prompt, dimensions: Option<usize>, normalize: bool) -> Vec<Vec<f32>> {
    let model = Embedder::load(fixture(EMBEDDER), &options()).unwrap();
    let options =
        EncodeOptions::default().prompt(prompt).dimensions(dimensions).normalize(normalize);
    let embeddings = model.encode(TEXTS, &options).unwrap();
    embeddings.into_iter().map(|embedding| embedding.vector).collect()
}

async fn answer(path: &str, body: Value) -> Value {
    let reply = post(&server(), path, body.to_string()).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()
}

fn numbers(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[tokio::test]
async fn vectors_are_the_engines() {
    let plain = vectors(Prompt::Default, None, true);
    let tei = answer("/embed", json!({"inputs": TEXTS})).await;
    let openai = answer("/v1/embeddings", json!({"input": TEXTS})).await;
    let pooling = answer("/pooling", json!({"input": TEXTS})).await;
    let ollama = answer("/api/embed", json!({"input": TEXTS})).await;
    let llama_cpp = answer("/embedding", json!({"content": TEXTS})).await;
    for (index, expected) in plain.iter().enumerate() {
        assert_eq!(&numbers(&tei[index]), expected);
        assert_eq!(&numbers(&openai["data"][index]["embedding"]), expected);
        assert_eq!(&numbers(&pooling["data"][index]["data"]), expected);
        assert_eq!(&numbers(&ollama["embeddings"][index]), expected);
        assert_eq!(&numbers(&llama_cpp[index]["embedding"][0]), expected);
        let old = answer("/api/embeddings", json!({"prompt": TEXTS[index]})).await;
        assert_eq!(&numbers(&old["embedding"]), expected);
    }
}

#[tokio::test]
async fn fields_do_what_they_say() {
    let named = vectors(Prompt::Name("query".to_owned()), Some(7), false);
    let body =
        json!({"inputs": TEXTS, "prompt_name": "query", "dimensions": 7, "normalize": false});
    assert_eq!(numbers(&answer("/embed", body).await[1]), named[1]);
    let task = vectors(Prompt::Instruction("Find it".to_owned()), None, true);
    let body = json!({"input": TEXTS, "instruction": "Find it"});
    let told = answer("/v1/embeddings", body).await;
    assert_eq!(numbers(&told["data"][2]["embedding"]), task[2]);
}

#[tokio::test]
async fn base64_is_little_endian_float32() {
    let expected = vectors(Prompt::Default, None, true);
    let body = json!({"input": TEXTS, "encoding_format": "base64"});
    let told = answer("/v1/embeddings", body).await;
    let text = told["data"][0]["embedding"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let numbers: Vec<f32> =
        bytes.chunks_exact(4).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect();
    assert_eq!(numbers, expected[0]);
}

#[tokio::test]
async fn token_vectors_have_no_padding() {
    let model = Embedder::load(fixture(EMBEDDER), &options()).unwrap();
    let expected = model.token_embeddings(TEXTS, &EncodeOptions::default()).unwrap();
    let told = answer("/embed_all", json!({"inputs": TEXTS})).await;
    for (told, expected) in told.as_array().unwrap().iter().zip(expected) {
        let told: Vec<Vec<f32>> = serde_json::from_value(told.clone()).unwrap();
        assert_eq!(told, expected.vectors);
    }
}

#[tokio::test]
async fn scores_are_the_engines() {
    let model = Reranker::load(fixture(RERANKER), &options()).unwrap();
    let rank = |instruction: Option<&str>| {
        let mut options = RankOptions::default();
        options.instruction = instruction.map(str::to_owned);
        model.rank("gravity?", TEXTS, &options).unwrap()
    };
    let score_of = |value: &Value| value.as_f64().unwrap() as f32;
    let expected = rank(None);
    let tei = answer("/rerank", json!({"query": "gravity?", "texts": TEXTS})).await;
    let raw = json!({"query": "gravity?", "texts": TEXTS, "raw_scores": true});
    let raw = answer("/rerank", raw).await;
    let documents = json!({"query": "gravity?", "documents": TEXTS});
    let cohere = answer("/v2/rerank", documents.clone()).await;
    let jina = answer("/v1/rerank", documents.clone()).await;
    let vllm = answer("/rerank", documents).await;
    for (place, ranked) in expected.iter().enumerate() {
        let score = ranked.score.score as f32;
        assert_eq!(
            (&tei[place]["index"], score_of(&tei[place]["score"])),
            (&json!(ranked.index), score)
        );
        assert_eq!(score_of(&raw[place]["score"]), ranked.score.log_odds as f32);
        for told in [&cohere, &jina, &vllm] {
            assert_eq!(told["results"][place]["index"], json!(ranked.index));
            assert_eq!(score_of(&told["results"][place]["relevance_score"]), score);
        }
    }
    let task = rank(Some("Find it"));
    let body = json!({"query": "gravity?", "documents": TEXTS, "instruction": "Find it"});
    let told = answer("/v2/rerank", body).await;
    assert_eq!(score_of(&told["results"][0]["relevance_score"]), task[0].score.score as f32);
}

#[tokio::test]
async fn a_document_is_cut_alone() {
    let long = format!("{} end", "a b c d ".repeat(100));
    let tokens = |document: &str, max: Option<usize>| {
        let body = json!({"query": "gravity?", "documents": [document], "max_tokens_per_doc": max});
        async move { post(&server(), "/v2/rerank", body.to_string()).await }
    };
    let whole: usize = tokens(&long, None).await.header("x-compute-tokens").parse().unwrap();
    let cut = tokens(&long, Some(5)).await;
    let n_cut: usize = cut.header("x-compute-tokens").parse().unwrap();
    let none: usize = tokens("", None).await.header("x-compute-tokens").parse().unwrap();
    assert_eq!((n_cut, cut.header("x-truncated-inputs")), (none + 5, "1"));
    assert!(whole > n_cut);
}

#[tokio::test]
async fn a_classifier_has_the_label_of_its_config() {
    let server = crate::server::server_of(
        "",
        "tiny-seq-cls",
        qwen3_server::Settings::default(),
        crate::server::scheduling(),
    );
    let reply = post(&server, "/predict", r#"{"inputs": ["q", "a"]}"#).await;
    assert_eq!(reply.json()[0]["label"], "LABEL_0");
}
