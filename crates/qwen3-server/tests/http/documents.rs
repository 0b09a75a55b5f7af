//! Documents in the forms that clients write them in, and how many come back.

use crate::requests::{SERVER, answer, refusal};
use crate::server::post;
use serde_json::{Value, json};

#[tokio::test]
async fn documents_may_be_objects() {
    let objects =
        json!([{"title": "A", "body": "b", "year": 1999, "tags": ["x"]}, "plain", {"body": "c"}]);
    let texts = json!(["b\nA\n1999", "plain", "c"]);
    for path in ["/v1/rerank", "/v2/rerank", "/rerank", "/reranking"] {
        let told = answer(path, json!({"query": "q", "documents": objects, "rank_fields": ["body", "title", "year"], "return_documents": false}).to_string()).await;
        let plain = answer(path, json!({"query": "q", "documents": texts, "rank_fields": "text", "return_documents": false}).to_string()).await;
        assert_eq!(told["results"][0]["index"], plain["results"][0]["index"], "{path}");
        assert_eq!(
            told["results"][0]["relevance_score"], plain["results"][0]["relevance_score"],
            "{path}"
        );
        for (fields, expected) in [
            (
                json!(null),
                "`documents[0]` has no field `text`; name the fields to read in `rank_fields`",
            ),
            (json!(["title"]), "`documents[2]` has none of the fields that `rank_fields` names"),
            (json!(["body", "tags"]), "`documents[0].tags` must be a text. Given: a list"),
            (json!([1]), "`rank_fields[0]` must be a text. Given: a number"),
        ] {
            let body = json!({"query": "q", "documents": objects, "rank_fields": fields});
            let (_, message) = refusal(path, body.to_string()).await;
            assert!(message.contains(expected), "{path}: {message}");
        }
    }
}

#[tokio::test]
async fn as_many_results_as_asked_for() {
    for (path, texts) in [
        ("/v1/rerank", "documents"),
        ("/rerank", "documents"),
        ("/rerank", "texts"),
        ("/v2/rerank", "documents"),
        ("/reranking", "documents"),
    ] {
        let asked = |name: &str, count: Value| {
            json!({"query": "q", texts: ["a", "b", "c"], name: count}).to_string()
        };
        let count = async |name: &str, count: Value| {
            let told = answer(path, asked(name, count)).await;
            let results = told.get("results").unwrap_or(&told);
            results.as_array().unwrap().len()
        };
        for name in ["top_n", "top_k"] {
            assert_eq!(count(name, json!(1)).await, 1, "{path} {name}");
            assert_eq!(count(name, json!(99)).await, 3, "{path} {name}");
            assert_eq!(count(name, json!(null)).await, 3, "{path} {name}");
            let (_, message) = refusal(path, asked(name, json!(-1))).await;
            assert!(message.contains(&format!("`{name}` must be at least")), "{message}");
            match path {
                "/v2/rerank" => {
                    assert!(refusal(path, asked(name, json!(0))).await.1.contains(name))
                }
                _ => assert_eq!(count(name, json!(0)).await, 3, "{path} {name}"),
            }
        }
    }
}

#[tokio::test]
async fn a_field_of_another_dialect_is_not_passed_over() {
    for (path, status) in [("/v2/rerank", 422), ("/v1/rerank", 422), ("/rerank", 400)] {
        let body = |max: usize| {
            let body = json!({"query": "q", "documents": ["a b c", "b"], "max_tokens_per_doc": max,
                "return_documents": max == 1});
            body.to_string()
        };
        let (told, message) = refusal(path, body(0)).await;
        assert_eq!(
            (told, message.as_str()),
            (status, "`max_tokens_per_doc` must be at least 1. Given: 0"),
            "{path}"
        );
        let cut = post(&SERVER, path, body(1)).await;
        assert_eq!(cut.header("x-truncated-inputs"), "1", "{path}");
        assert!(cut.json()["results"][0]["document"]["text"].is_string(), "{path}");
        assert!(answer(path, body(9)).await["results"][0].get("document").is_none(), "{path}");
    }
    let told =
        answer("/rerank", r#"{"query": "q", "texts": ["a"], "return_documents": true}"#).await;
    assert_eq!(told[0]["text"], "a");
}
