//! Requests as clients and proxies really send them: what has one meaning is
//! taken on every route, and all else refused by its name.

use crate::server::{EMBEDDER, RERANKER, Reply, get, post, scheduling, send, server, server_of};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use qwen3_server::Settings;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Shared, as nothing here changes it.
pub static SERVER: LazyLock<Router> = LazyLock::new(server);

/// Every route with a body that it takes; `TEXT` stands where a text may stand.
const REQUESTS: [(&str, &str); 24] = [
    ("/embed", r#"{"inputs": ["a", "TEXT"]}"#),
    ("/embed_all", r#"{"inputs": ["a", "TEXT"]}"#),
    ("/", r#"{"inputs": ["a", "TEXT"]}"#),
    ("/invocations", r#"{"inputs": {"source_sentence": "a", "sentences": ["b", "TEXT"]}}"#),
    ("/vertex", r#"{"instances": [{"inputs": "a"}, {"inputs": ["b", "TEXT"]}]}"#),
    ("/similarity", r#"{"inputs": {"source_sentence": "a", "sentences": ["b", "TEXT"]}}"#),
    ("/predict", r#"{"inputs": [["q", "a"], ["q", "TEXT"]]}"#),
    ("/rerank", r#"{"query": "q", "texts": ["a", "TEXT"]}"#),
    ("/tokenize", r#"{"inputs": ["a", "TEXT"]}"#),
    ("/v1/embeddings", r#"{"input": ["a", "TEXT"]}"#),
    ("/embeddings", r#"{"input": ["a", "TEXT"]}"#),
    ("/v1/rerank", r#"{"query": "q", "documents": ["a", "TEXT"]}"#),
    ("/v1/rerank", r#"{"query": "q", "documents": ["a", "TEXT"], "max_chunks_per_doc": 1}"#),
    ("/v1/rerank", r#"{"query": "q", "texts": ["a", "TEXT"]}"#),
    ("/v2/rerank", r#"{"query": "q", "documents": ["a", "TEXT"]}"#),
    ("/rerank", r#"{"query": "q", "documents": ["a", "TEXT"]}"#),
    ("/reranking", r#"{"query": "q", "documents": ["a", {"text": "TEXT"}]}"#),
    ("/pooling", r#"{"input": ["a", "TEXT"]}"#),
    ("/score", r#"{"text_1": "q", "text_2": ["a", "TEXT"]}"#),
    ("/embedding", r#"{"content": ["a", "TEXT"]}"#),
    ("/api/embed", r#"{"input": ["a", "TEXT"]}"#),
    ("/embedder/api/embed", r#"{"input": ["a", "TEXT"]}"#),
    ("/reranker/rerank", r#"{"query": "TEXT", "texts": ["a", "TEXT"]}"#),
    ("/reranker/tokenize", r#"{"inputs": ["a", "TEXT"]}"#),
];

/// Every field of every dialect that may be left out.
const OPTIONAL: [&str; 26] = [
    "model",
    "instruction",
    "instruct",
    "prompt_name",
    "truncate_side",
    "truncation_side",
    "truncation_direction",
    "normalize",
    "truncate",
    "dimensions",
    "encoding_format",
    "truncate_prompt_tokens",
    "use_activation",
    "raw_scores",
    "return_text",
    "return_documents",
    "rank_fields",
    "top_n",
    "top_k",
    "max_tokens_per_doc",
    "embd_normalize",
    "add_special_tokens",
    "parameters",
    "options",
    "user",
    "unheard_of",
];

pub async fn sent(path: &str, body: impl Into<Body>, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(&SERVER, request.body(body.into()).unwrap()).await
}

/// The answer, without what differs from call to call.
pub async fn answer(path: &str, body: impl Into<Body>) -> Value {
    let reply = post(&SERVER, path, body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    let mut answer = reply.json();
    if let Value::Object(fields) = &mut answer {
        fields.retain(|name, _| !["id", "created", "total_duration"].contains(&name.as_str()));
    }
    answer
}

/// The status and the message of a refusal, wherever the dialect has it.
pub async fn refusal(path: &str, body: impl Into<Body>) -> (u16, String) {
    told(path, &post(&SERVER, path, body).await)
}

fn told(path: &str, reply: &Reply) -> (u16, String) {
    assert!(reply.status.is_client_error(), "{path}: {} {}", reply.status, reply.text());
    let body = reply.json();
    let places = ["/error/message", "/error", "/message", "/detail"];
    let message = places.iter().find_map(|place| body.pointer(place)?.as_str());
    (reply.status.as_u16(), message.unwrap_or_else(|| panic!("{path}: {body}")).to_owned())
}

#[tokio::test]
async fn any_type_of_content_is_read_as_json() {
    for (path, body) in REQUESTS {
        let expected = answer(path, body).await;
        let marked = format!("\u{feff}{body}");
        assert_eq!(answer(path, marked).await, expected, "{path}");
        for kind in ["application/json; charset=utf-8", "text/plain", "application/vnd.a+json", ""]
        {
            assert_eq!(
                sent(path, body, &[("content-type", kind)]).await.status,
                200,
                "{path} {kind}"
            );
        }
        assert_eq!(
            sent(path, body, &[("content-encoding", "identity")]).await.status,
            200,
            "{path}"
        );
        assert_eq!(sent(path, body, &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused_by_its_header() {
    for (path, body) in REQUESTS {
        for encoding in ["gzip", "identity, br", "x-unknown"] {
            let reply = sent(path, body, &[("content-encoding", encoding)]).await;
            let (status, message) = told(path, &reply);
            assert_eq!(status, 415, "{path}");
            assert!(message.contains("Content-Encoding"), "{path}: {message}");
        }
    }
}

#[tokio::test]
async fn bytes_of_another_encoding_are_never_replaced() {
    for (path, body) in REQUESTS {
        let gbk = body.replace("TEXT", "?").into_bytes();
        let gbk: Vec<u8> = gbk
            .into_iter()
            .flat_map(|x| if x == b'?' { vec![0xd6, 0xd0] } else { vec![x] })
            .collect();
        let utf_16: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, name) in [(gbk, "not UTF-8"), (utf_16, "UTF-16")] {
            let (status, message) = refusal(path, bytes).await;
            assert_eq!(status, 400, "{path}");
            assert!(message.contains(name) && message.contains("as UTF-8"), "{path}: {message}");
        }
        let (_, message) = refusal(path, "").await;
        assert!(message.contains("empty"), "{path}: {message}");
        let (_, message) = refusal(path, format!("{body}]")).await;
        assert!(
            message.contains("not JSON") && message.contains("line 1 column"),
            "{path}: {message}"
        );
        for other in ["[1]", "\"a\"", "null", "3"] {
            let (_, message) = refusal(path, other).await;
            assert!(message.contains("`body` must be an object"), "{path} {other}: {message}");
        }
    }
}

#[tokio::test]
async fn half_a_character_is_u_fffd() {
    for (path, body) in REQUESTS {
        let half = answer(path, body.replace("TEXT", r"cut \ud83d here")).await;
        let replaced = answer(path, body.replace("TEXT", "cut \u{fffd} here")).await;
        assert_eq!(half, replaced, "{path}");
        assert_eq!(
            answer(path, body.replace("TEXT", r"\ud83d\ude00")).await,
            answer(path, body.replace("TEXT", "😀")).await,
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_empty_text_is_computed_everywhere() {
    for (path, body) in REQUESTS {
        answer(path, body.replace("TEXT", "")).await;
    }
    for (path, body) in [
        ("/embed", json!({"inputs": ""})),
        ("/embed", json!({"inputs": [[], [72]]})),
        ("/v1/embeddings", json!({"input": ""})),
        ("/embedding", json!({"content": ""})),
        ("/v1/rerank", json!({"query": "", "documents": [""]})),
        ("/v2/rerank", json!({"query": "", "documents": ""})),
        ("/score", json!({"text_1": "", "text_2": ""})),
        ("/predict", json!({"inputs": ["", ""]})),
    ] {
        answer(path, body.to_string()).await;
    }
    let one = answer("/embed", r#"{"inputs": [""]}"#).await;
    assert_eq!(one, answer("/embed", r#"{"inputs": [[]]}"#).await);
}

#[tokio::test]
async fn null_is_no_field() {
    for (path, body) in REQUESTS {
        let mut nulls: Value = serde_json::from_str(body).unwrap();
        for field in OPTIONAL {
            nulls.as_object_mut().unwrap().entry(field).or_insert(Value::Null);
        }
        assert_eq!(answer(path, nulls.to_string()).await, answer(path, body).await, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_item_is_named_with_its_index() {
    for (path, body) in REQUESTS {
        for wrong in ["null", "{}", "true", "[\"x\"]", "1.5"] {
            let (_, message) = refusal(path, body.replace("\"TEXT\"", wrong)).await;
            assert!(message.contains("[1]") || message.contains("`query`"), "{path}: {message}");
            assert!(!message.contains("not JSON"), "{path}: {message}");
        }
    }
    for (path, body, expected) in [
        (
            "/vertex",
            json!({"instances": [{"inputs": "a"}, {"inputs": ["b", 1]}]}),
            "`instances[1].inputs[1]`",
        ),
        ("/vertex", json!({"instances": [{"inputs": "a"}, 3]}), "`instances[1]`"),
        ("/embed", json!({"inputs": [[72], [69, -1]]}), "`inputs[1][1]`"),
        ("/embed", json!({"inputs": [72, "a"]}), "`inputs[1]`"),
        ("/decode", json!({"ids": [[72], ["a"]]}), "`ids[1][0]`"),
        ("/decode", json!({"ids": []}), "`ids` cannot be empty"),
        ("/predict", json!({"inputs": [["q", "a"], ["q"]]}), "`inputs[1]`"),
        ("/predict", json!({"inputs": "alone"}), "`inputs` must be a pair"),
        ("/similarity", json!({"inputs": ["a", "b"]}), "`inputs` must be an object"),
        (
            "/similarity",
            json!({"inputs": {"sentences": ["b"]}}),
            "`inputs.source_sentence` is missing",
        ),
        (
            "/similarity",
            json!({"inputs": {"source_sentence": "a", "sentences": ["b"]}, "parameters": {"truncate": 7}}),
            "`parameters.truncate`",
        ),
        ("/score", json!({"queries": "q", "documents": []}), "`documents` cannot be empty"),
        (
            "/v2/rerank",
            json!({"query": ["q"], "documents": ["a"]}),
            "`query` must be a text. Given: a list",
        ),
        ("/v2/rerank", json!({"documents": ["a"]}), "`query` is missing"),
        (
            "/api/embed",
            json!({"input": 5}),
            "`input` must be a text or a list of texts. Given: a number",
        ),
        ("/api/embeddings", json!({"prompt": ["a"]}), "`prompt`"),
        ("/embedding", json!({"input": "a", "content": "b"}), "`input` says the same as `content`"),
        (
            "/v1/embeddings",
            json!({"input": "a", "encoding_format": "hex"}),
            "`encoding_format` must be `float` or `base64`",
        ),
        ("/v1/embeddings", json!({"input": "a", "normalize": "perhaps"}), "`normalize`"),
        (
            "/embed",
            json!({"inputs": "a", "truncation_direction": "up"}),
            "`truncation_direction` must be `left` or `right`",
        ),
        (
            "/embed",
            json!({"inputs": "a", "dimensions": 1.5}),
            "`dimensions` must be a whole number",
        ),
    ] {
        let (_, message) = refusal(path, body.to_string()).await;
        assert!(message.contains(expected), "{path} {body}: {message}");
    }
}

#[tokio::test]
async fn openai_names_the_param() {
    let long = "a b ".repeat(20_000);
    for (body, param) in [
        (json!({"input": ["a", null]}), "input[1]"),
        (json!({"input": ["a", [99999]]}), "input[1]"),
        (json!({"input": ["a", long], "truncate": false, "truncate_prompt_tokens": null}), ""),
        (json!({}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": "a", "dimensions": "many"}), "dimensions"),
        (json!({"input": "a", "dimensions": 0}), "dimensions"),
        (json!({"input": "a", "prompt_name": "nope"}), "prompt_name"),
        (json!({"input": "a", "truncate_prompt_tokens": "x"}), "truncate_prompt_tokens"),
    ] {
        if param.is_empty() {
            // OpenAI's route has no `truncate`: an unknown field is ignored.
            answer("/v1/embeddings", body.to_string()).await;
            continue;
        }
        let reply = post(&SERVER, "/v1/embeddings", body.to_string()).await;
        assert_eq!(reply.json()["error"]["param"], param, "{body}: {}", reply.text());
    }
}

#[tokio::test]
async fn numbers_and_bools_may_stand_in_quotes() {
    for (path, quoted, plain) in [
        (
            "/embed",
            json!({"inputs": "a", "dimensions": "4", "normalize": "False"}),
            json!({"inputs": "a", "dimensions": 4, "normalize": false}),
        ),
        (
            "/embed",
            json!({"inputs": "a", "dimensions": 4.0, "truncate": 1}),
            json!({"inputs": "a", "dimensions": 4, "truncate": true}),
        ),
        (
            "/v1/embeddings",
            json!({"input": "a b c", "truncate_prompt_tokens": "2"}),
            json!({"input": "a b c", "truncate_prompt_tokens": 2}),
        ),
        (
            "/rerank",
            json!({"query": "q", "texts": "a", "raw_scores": "true"}),
            json!({"query": "q", "texts": ["a"], "raw_scores": true}),
        ),
        (
            "/v2/rerank",
            json!({"query": "q", "documents": "a", "max_tokens_per_doc": "9"}),
            json!({"query": "q", "documents": ["a"], "max_tokens_per_doc": 9}),
        ),
        (
            "/embedding",
            json!({"content": "a", "embd_normalize": "-1"}),
            json!({"content": "a", "embd_normalize": -1}),
        ),
        (
            "/embed",
            json!({"inputs": "a b c d", "truncate_side": "LEFT"}),
            json!({"inputs": "a b c d", "truncate_side": "left"}),
        ),
    ] {
        assert_eq!(
            answer(path, quoted.to_string()).await,
            answer(path, plain.to_string()).await,
            "{quoted}"
        );
    }
}

#[tokio::test]
async fn ollama_is_asked_for_nothing_to_see_whether_the_model_is_there() {
    for body in ["{}", r#"{"input": []}"#, r#"{"model": "m", "input": ""}"#, r#"{"input": null}"#] {
        let told = answer("/api/embed", body).await;
        assert_eq!((&told["embeddings"], &told["model"]), (&json!([]), &json!(EMBEDDER)), "{body}");
    }
    for body in ["{}", r#"{"prompt": ""}"#] {
        assert_eq!(answer("/api/embeddings", body).await, json!({"embedding": []}));
    }
    let told = answer("/api/embed", r#"{"input": ["a", ""], "dimensions": 0}"#).await;
    assert_eq!(told["embeddings"].as_array().unwrap().len(), 2);
    assert_eq!(told["embeddings"][1].as_array().unwrap().len(), 32);
    let reranker = server_of("", RERANKER, Settings::default(), scheduling());
    assert_eq!(post(&reranker, "/api/embed", "{}").await.status, 404);
}

#[tokio::test]
async fn each_of_two_models_can_be_asked_as_if_it_were_alone() {
    let kind = async |path: &str| {
        let info = get(&SERVER, path).await.json();
        let kinds: Vec<String> = info["model_type"].as_object().unwrap().keys().cloned().collect();
        (kinds[0].clone(), info["served_model_name"].as_str().unwrap().to_owned())
    };
    assert_eq!(kind("/info").await, ("embedding".to_owned(), EMBEDDER.to_owned()));
    assert_eq!(kind("/embedder/info").await, ("embedding".to_owned(), EMBEDDER.to_owned()));
    assert_eq!(kind("/reranker/info").await, ("reranker".to_owned(), RERANKER.to_owned()));
    let models = get(&SERVER, "/reranker/v1/models").await.json();
    assert_eq!(models["data"].as_array().unwrap().len(), 1);
    for (path, status) in
        [("/reranker/health", 200), ("/reranker", 200), ("/reranker/nowhere", 404)]
    {
        assert_eq!(get(&SERVER, path).await.status, status, "{path}");
    }
    assert_eq!(post(&SERVER, "/reranker/embed", r#"{"inputs": "a"}"#).await.status, 424);
    assert_eq!(post(&SERVER, "/reranker/info", "{}").await.json()["error_type"], "Validation");
    let settings = Settings { api_keys: vec!["key".parse().unwrap()], ..Settings::default() };
    let guarded = crate::server::server_with(settings);
    for path in ["/reranker/info", "/embedder/info"] {
        assert_eq!(get(&guarded, path).await.status, 401, "{path}");
    }
    let alone = server_of(EMBEDDER, "", Settings::default(), scheduling());
    assert_eq!(get(&alone, "/reranker/info").await.status, 404);
}
