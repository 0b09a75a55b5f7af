//! vLLM's pooling server: `/pooling`, `/score`, and `/rerank` with `documents`.

use super::openai::{EmbeddingsRequest, Numbers, param, status_type_code, vectors};
use super::{
    Answer, Body, Dialect, DialectError, DocumentText, Documents, Extension, Fields, FromFields,
    JsonText, Ranking, Texts, Usage, answer, pair_reading, tei, top_n,
};
use crate::app::{App, SharedApp};
use crate::error::Error;
use crate::inference::{Call, Pair, Score};
use axum::Extension as Layered;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// vLLM.
pub struct Vllm;

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct VllmError {
    /// All of it.
    pub error: VllmErrorDetails,
}

/// What went wrong, in detail.
#[derive(Debug, Serialize, ToSchema)]
pub struct VllmErrorDetails {
    /// For people.
    pub message: String,
    /// For programs.
    pub r#type: &'static str,
    /// The field that is wrong.
    pub param: Option<String>,
    /// The status.
    pub code: u16,
}

/// Rows of texts.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoolingResponse {
    /// Of the answer.
    pub id: String,
    /// `list`
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's name.
    pub model: String,
    /// In the order of the inputs.
    pub data: Vec<PoolingObject>,
    /// Tokens.
    pub usage: Usage,
}

/// The row of a text.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoolingObject {
    /// Index of the input.
    pub index: usize,
    /// `pooling`
    pub object: &'static str,
    /// The row.
    pub data: Numbers,
}

/// Pairs to score: one or several texts on the left, each with one on the right.
#[derive(Debug, ToSchema)]
pub struct ScoreRequest {
    /// Any name: there is one reranker.
    #[allow(dead_code, reason = "clients must send it")]
    pub model: Option<String>,
    /// One, or as many as on the right (also `queries`, `data_1`).
    pub text_1: Texts,
    /// One or several (also `documents`, `items`, `data_2`).
    pub text_2: Texts,
    /// Cut pairs to this many tokens; -1: to as many as the model takes.
    pub truncate_prompt_tokens: Option<i64>,
    /// Probabilities instead of log-odds.
    pub use_activation: Option<bool>,
    /// What all dialects take.
    #[serde(flatten)]
    pub extension: Extension,
}

impl FromFields for ScoreRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        let (left, right) =
            (["text_1", "queries", "data_1"], ["text_2", "documents", "items", "data_2"]);
        Ok(Self {
            model: fields.text(&["model"])?,
            text_1: Texts::read_some(fields.need(&left)?)?,
            text_2: Texts::read_some(fields.need(&right)?)?,
            truncate_prompt_tokens: fields.whole(&["truncate_prompt_tokens"])?,
            use_activation: fields.flag(&["use_activation"])?,
            extension: Extension::from_fields(fields)?,
        })
    }
}

/// Scores of pairs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreResponse {
    /// Of the answer.
    pub id: String,
    /// `list`
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's name.
    pub model: String,
    /// In the order of the pairs.
    pub data: Vec<ScoreObject>,
    /// Tokens.
    pub usage: Usage,
}

/// The score of a pair.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreObject {
    /// Index of the pair.
    pub index: usize,
    /// `score`
    pub object: &'static str,
    /// Probability that the right text answers the left one.
    pub score: f32,
}

/// Documents to order by how well they answer a query.
#[derive(Debug, ToSchema)]
pub struct VllmRerankRequest {
    /// Any name: there is one reranker.
    #[allow(dead_code, reason = "clients must send it")]
    pub model: Option<String>,
    /// The query.
    pub query: String,
    /// The documents.
    #[serde(flatten)]
    pub documents: Documents,
    /// Only the best so many; 0: all (also `top_k`).
    pub top_n: Option<usize>,
    /// Documents are cut to this many tokens (Cohere's field).
    pub max_tokens_per_doc: Option<usize>,
    /// Whether the answer repeats the documents; by default it does (Jina's field).
    pub return_documents: Option<bool>,
    /// Cut pairs to this many tokens; -1: to as many as the model takes.
    pub truncate_prompt_tokens: Option<i64>,
    /// Probabilities instead of log-odds.
    pub use_activation: Option<bool>,
    /// What all dialects take.
    #[serde(flatten)]
    pub extension: Extension,
}

impl FromFields for VllmRerankRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            model: fields.text(&["model"])?,
            query: fields.need(&["query"])?.text()?,
            documents: Documents::from_fields(fields)?,
            top_n: top_n(fields, 0)?,
            max_tokens_per_doc: fields.count(&["max_tokens_per_doc"], 1)?,
            return_documents: fields.flag(&["return_documents"])?,
            truncate_prompt_tokens: fields.whole(&["truncate_prompt_tokens"])?,
            use_activation: fields.flag(&["use_activation"])?,
            extension: Extension::from_fields(fields)?,
        })
    }
}

/// Documents, best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct VllmRerankResponse {
    /// Of the answer.
    pub id: String,
    /// The model's name.
    pub model: String,
    /// Tokens.
    pub usage: Usage,
    /// Best first.
    pub results: Vec<VllmResult>,
}

/// A document's place.
#[derive(Debug, Serialize, ToSchema)]
pub struct VllmResult {
    /// Index among the documents.
    pub index: usize,
    /// The document, unless it isn't wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentText>,
    /// Probability that it answers the query.
    pub relevance_score: f32,
}

/// Rows of texts: here the vectors of `/v1/embeddings`.
#[utoipa::path(
    post, path = "/pooling", tag = "vLLM",
    request_body = EmbeddingsRequest,
    responses(
        (status = 200, description = "A vector per input", body = PoolingResponse),
        (status = "4XX", description = "The request is wrong, or too much waits", body = VllmError),
        (status = "5XX", description = "The device failed, or the engine is being rebuilt", body = VllmError),
    )
)]
pub async fn pooling(
    State(app): State<SharedApp>,
    Layered(call): Layered<Call>,
    Body(request, _): Body<Vllm, EmbeddingsRequest>,
) -> Answer<Vllm> {
    let format = request.encoding_format.unwrap_or_default();
    let embedded = vectors(&app, call, request).await?;
    let data = embedded.results.into_iter().enumerate().map(|(index, vector)| PoolingObject {
        index,
        object: "pooling",
        data: format.write(vector),
    });
    let response = PoolingResponse {
        id: format!("pool-{}", uuid::Uuid::new_v4().simple()),
        object: "list",
        created: now(),
        model: app.embedder()?.name.clone(),
        data: data.collect(),
        usage: embedded.compute.into(),
    };
    answer(embedded.compute, response).await
}

/// Scores of pairs, in their order.
#[utoipa::path(
    post, path = "/score", tag = "vLLM",
    request_body = ScoreRequest,
    responses(
        (status = 200, description = "A score per pair", body = ScoreResponse),
        (status = "4XX", description = "The request is wrong, or too much waits", body = VllmError),
        (status = "5XX", description = "The device failed, or the engine is being rebuilt", body = VllmError),
    )
)]
pub async fn score(
    State(app): State<SharedApp>,
    Layered(call): Layered<Call>,
    Body(request, _): Body<Vllm, ScoreRequest>,
) -> Answer<Vllm> {
    let as_probability = request.use_activation.or(request.extension.normalize).unwrap_or(true);
    let pairs = pairs(request.text_1, request.text_2)?;
    let (truncate, max_tokens) = prompt_tokens(request.truncate_prompt_tokens)?;
    let reading = pair_reading(&app, request.extension, truncate, max_tokens)?;
    let reranker = app.reranker()?;
    let scores = app.inference.score(reranker, call, pairs, reading).await?;
    let object = |(index, score): (usize, &Score)| ScoreObject {
        index,
        object: "score",
        score: score.shown(as_probability) as f32,
    };
    let response = ScoreResponse {
        id: format!("score-{}", uuid::Uuid::new_v4().simple()),
        object: "list",
        created: now(),
        model: reranker.name.clone(),
        data: scores.results.iter().enumerate().map(object).collect(),
        usage: scores.compute.into(),
    };
    answer(scores.compute, response).await
}

/// `/rerank` is text-embeddings-inference's with `texts`, and vLLM's with `documents`.
pub async fn rerank_by_body(
    State(app): State<SharedApp>,
    Layered(call): Layered<Call>,
    request: Request,
) -> Response {
    let json = match JsonText::read(request, &app).await {
        Ok(json) => json,
        Err(error) => return DialectError::<tei::Tei>::from(error).into_response(),
    };
    if json.has_any(&["documents"]).await && !json.has_any(&["texts"]).await {
        return match Body::parse(json).await {
            Ok(body) => rerank(&app, call, body).await.into_response(),
            Err(rejected) => rejected.into_response(),
        };
    }
    match Body::parse(json).await {
        Ok(body) => tei::rerank(&app, call, body).await.into_response(),
        Err(rejected) => rejected.into_response(),
    }
}

async fn rerank(
    app: &App,
    call: Call,
    Body(request, _): Body<Vllm, VllmRerankRequest>,
) -> Answer<Vllm> {
    let as_probability = request.use_activation.or(request.extension.normalize).unwrap_or(true);
    let documents = request.documents.into_texts();
    let returned = request.return_documents.unwrap_or(true).then(|| documents.clone());
    let model = app.reranker()?.name.clone();
    let mut ranking = Ranking::new(request.query, documents, request.extension);
    (ranking.truncate, ranking.max_tokens) = prompt_tokens(request.truncate_prompt_tokens)?;
    ranking.max_document_tokens = request.max_tokens_per_doc;
    let scores = ranking.score(app, call).await?;
    let result = |(index, score): (usize, Score)| VllmResult {
        index,
        document: returned.as_ref().map(|texts| DocumentText { text: texts[index].clone() }),
        relevance_score: score.shown(as_probability) as f32,
    };
    let top_n = request.top_n.unwrap_or(usize::MAX);
    let response = VllmRerankResponse {
        id: format!("rerank-{}", uuid::Uuid::new_v4().simple()),
        model,
        usage: scores.compute.into(),
        results: scores.ranked().into_iter().take(top_n).map(result).collect(),
    };
    answer(scores.compute, response).await
}

fn pairs(left: Texts, right: Texts) -> Result<Vec<Pair>, Error> {
    let (left, right) = (left.into_list(), right.into_list());
    let mut queries: Vec<Arc<str>> = left.into_iter().map(Into::into).collect();
    if let ([query], 2..) = (&queries[..], right.len()) {
        queries = vec![query.clone(); right.len()];
    }
    if queries.len() != right.len() {
        let (found, expected) = (queries.len(), right.len());
        let reason =
            format!("must be one text or as many as in `text_2`, {expected}. Given: {found}");
        return Err(Error::Invalid { field: "text_1", reason });
    }
    let pairs = queries.into_iter().zip(right);
    Ok(pairs.map(|(query, document)| Pair { query, document }).collect())
}

/// What `truncate_prompt_tokens` says: whether to cut, and to how many tokens.
pub(super) fn prompt_tokens(asked: Option<i64>) -> Result<(Option<bool>, Option<usize>), Error> {
    match asked {
        None => Ok((None, None)),
        Some(-1) => Ok((Some(true), None)),
        Some(tokens @ 1..) => Ok((Some(true), usize::try_from(tokens).ok())),
        Some(tokens) => {
            let reason = format!("must be -1 or at least 1. Given: {tokens}");
            Err(Error::Invalid { field: "truncate_prompt_tokens", reason })
        }
    }
}

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()
}

impl Dialect for Vllm {
    fn error(error: &Error) -> Response {
        let (status, ..) = status_type_code(error);
        let r#type = match status.as_u16() {
            401 => "AuthenticationError",
            404 => "NotFoundError",
            429 => "RateLimitError",
            400..=499 => "BadRequestError",
            _ => "InternalServerError",
        };
        let (message, param, code) = (error.to_string(), param(error), status.as_u16());
        let error = VllmErrorDetails { message, r#type, param, code };
        (status, Json(VllmError { error })).into_response()
    }
}
