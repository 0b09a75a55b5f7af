//! Whatever JSON is sent to whichever route: a result, or an error that says
//! what is wrong, soon.

use crate::server::{post, server};
use axum::Router;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

const ROUTES: [&str; 28] = [
    "/embed",
    "/embed_all",
    "/embed_sparse",
    "/invocations",
    "/vertex",
    "/similarity",
    "/predict",
    "/rerank",
    "/tokenize",
    "/decode",
    "/v1/embeddings",
    "/embeddings",
    "/v1/rerank",
    "/v2/rerank",
    "/reranking",
    "/v1/reranking",
    "/pooling",
    "/score",
    "/v1/score",
    "/embedding",
    "/api/embed",
    "/api/embeddings",
    "/",
    "/health",
    "/info",
    "/embedder/embed",
    "/reranker/rerank",
    "/nowhere",
];

const FIELDS: [&str; 36] = [
    "instances",
    "inputs",
    "input",
    "query",
    "texts",
    "documents",
    "text_1",
    "text_2",
    "queries",
    "content",
    "prompt",
    "ids",
    "truncate",
    "truncation_direction",
    "truncate_side",
    "prompt_name",
    "instruction",
    "normalize",
    "dimensions",
    "raw_scores",
    "return_text",
    "return_documents",
    "top_n",
    "top_k",
    "rank_fields",
    "text",
    "max_tokens_per_doc",
    "truncate_prompt_tokens",
    "encoding_format",
    "model",
    "parameters",
    "source_sentence",
    "sentences",
    "embd_normalize",
    "use_activation",
    "add_special_tokens",
];

static SERVER: LazyLock<Router> = LazyLock::new(server);
static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..700).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|x| json!(x)),
        "[a-z <|>_é重\\u{0}\"]{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["query", "left", "Right", "base64", "<|im_end|>", "", "a"])
            .prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            fields(inner),
        ]
    })
}

fn fields(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let field = (prop::sample::select(FIELDS.to_vec()), value);
    prop::collection::vec(field, 0..6).prop_map(|fields| fields.into_iter().collect())
}

/// The fields of a dialect's error.
fn is_typed(body: &Value) -> bool {
    ["error", "message", "detail"].iter().any(|field| body.get(field).is_some())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_json_gives_a_result_or_a_typed_error(
        route in prop::sample::select(ROUTES.to_vec()),
        body in prop_oneof![4 => fields(value()), 1 => value()],
    ) {
        let sent = post(&SERVER, route, body.to_string());
        let reply = RUNTIME.block_on(async { tokio::time::timeout(Duration::from_secs(20), sent).await });
        let reply = reply.expect("no request hangs");
        match reply.status.as_u16() {
            200 => {}
            400..=499 => prop_assert!(is_typed(&reply.json()), "{route} {body}: {reply:?}"),
            _ => prop_assert!(false, "{route} {body}: {reply:?}"),
        }
    }

    #[test]
    fn any_bytes_give_a_typed_error(
        route in prop::sample::select(ROUTES.to_vec()),
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let reply = RUNTIME.block_on(post(&SERVER, route, body));
        prop_assert!(reply.status.is_client_error(), "{route}: {reply:?}");
        prop_assert!(is_typed(&reply.json()), "{route}: {reply:?}");
    }
}
