//! Paths that several dialects answer: the body decides whose request it is.

use super::jina::{self, Jina};
use super::tei::{self, Tei};
use super::{Answer, Body, Dialect, FromFields, JsonText, cohere, vllm};
use crate::app::SharedApp;
use crate::inference::Call;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};

/// Fields that only Cohere has.
const COHERES: [&str; 2] = ["max_tokens_per_doc", "max_chunks_per_doc"];

/// `/rerank`: text-embeddings-inference's with `texts`, and vLLM's with `documents`.
pub async fn rerank(State(app): State<SharedApp>, call: Call, request: Request) -> Answer<Tei> {
    let json = JsonText::read(request, &app).await?;
    let is_vllms = json.has_any(&["documents"]).await && !json.has_any(&["texts"]).await;
    Ok(match is_vllms {
        true => answered(json, |body| vllm::rerank(&app, call, body)).await,
        false => answered(json, |body| tei::rerank(&app, call, body)).await,
    })
}

/// `/v1/rerank`: text-embeddings-inference's with `texts`, Cohere's with fields that only Cohere
/// has, and Jina's with everything else.
pub async fn rerank_v1(State(app): State<SharedApp>, call: Call, request: Request) -> Answer<Jina> {
    let json = JsonText::read(request, &app).await?;
    if json.has_any(&["texts"]).await {
        return Ok(answered(json, |body| tei::rerank(&app, call, body)).await);
    }
    if json.has_any(&COHERES).await {
        return Ok(answered(json, |body| cohere::rerank(&app, call, body, "1")).await);
    }
    Ok(answered(json, |body| jina::rerank(&app, call, body)).await)
}

/// The answer of the dialect whose request it is, to errors in its body too.
async fn answered<D: Dialect, T: FromFields + Send + 'static, F>(
    json: JsonText,
    handler: impl FnOnce(Body<D, T>) -> F,
) -> Response
where
    F: Future<Output = Answer<D>>,
{
    match Body::parse(json).await {
        Ok(body) => handler(body).await.into_response(),
        Err(error) => error.into_response(),
    }
}
