//! Jina: `/v1/rerank`. The answer also has what clients of vLLM, llama.cpp and
//! SGLang read on this route.

use super::cohere::Cohere;
use super::{
    Answer, Body, Dialect, DialectError, DocumentText, Documents, Extension, Fields, FromFields,
    JsonText, Ranking, Usage, answer, cohere, openai, tei, top_n,
};
use crate::app::{App, SharedApp};
use crate::error::Error;
use crate::inference::{Call, Score};
use axum::Extension as Layered;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Fields that only Cohere has.
const COHERES: [&str; 2] = ["max_tokens_per_doc", "max_chunks_per_doc"];

/// Jina.
pub struct Jina;

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct JinaError {
    /// For people.
    pub detail: String,
}

/// Documents to order by how well they answer a query.
#[derive(Debug, ToSchema)]
pub struct JinaRerankRequest {
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
    /// Whether the answer repeats the documents.
    pub return_documents: Option<bool>,
    /// What all dialects take.
    #[serde(flatten)]
    pub extension: Extension,
}

impl FromFields for JinaRerankRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            model: fields.text(&["model"])?,
            query: fields.need(&["query"])?.text()?,
            documents: Documents::from_fields(fields)?,
            top_n: top_n(fields, 0)?,
            return_documents: fields.flag(&["return_documents"])?,
            extension: Extension::from_fields(fields)?,
        })
    }
}

/// Documents, best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct JinaRerankResponse {
    /// Of the answer.
    pub id: String,
    /// `list`
    pub object: &'static str,
    /// The model's name.
    pub model: String,
    /// Tokens.
    pub usage: Usage,
    /// Best first.
    pub results: Vec<JinaResult>,
}

/// A document's place.
#[derive(Debug, Serialize, ToSchema)]
pub struct JinaResult {
    /// Index among the documents.
    pub index: usize,
    /// The document, unless it isn't wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentText>,
    /// Probability that it answers the query.
    pub relevance_score: f32,
}

/// Documents by how well they answer a query. The body decides whose route it
/// is: `texts` is text-embeddings-inference's, fields that only Cohere has are
/// Cohere's, and everything else Jina's.
#[utoipa::path(
    post, path = "/v1/rerank", tag = "Jina",
    request_body = JinaRerankRequest,
    responses(
        (status = 200, description = "The documents, best first", body = JinaRerankResponse),
        (status = "4XX", description = "The request is wrong, or too much waits", body = JinaError),
        (status = "5XX", description = "The device failed, or the engine is being rebuilt", body = JinaError),
    )
)]
pub async fn rerank_by_body(
    State(app): State<SharedApp>,
    Layered(call): Layered<Call>,
    request: Request,
) -> Response {
    let json = match JsonText::read(request, &app).await {
        Ok(json) => json,
        Err(error) => return DialectError::<Jina>::from(error).into_response(),
    };
    if json.has_any(&["texts"]).await {
        return match Body::parse(json).await {
            Ok(body) => tei::rerank(&app, call, body).await.into_response(),
            Err(rejected) => rejected.into_response(),
        };
    }
    if json.has_any(&COHERES).await {
        return match Body::<Cohere, _>::parse(json).await {
            Ok(body) => cohere::rerank(&app, call, body, "1").await.into_response(),
            Err(rejected) => rejected.into_response(),
        };
    }
    match Body::parse(json).await {
        Ok(body) => rerank(&app, call, body).await.into_response(),
        Err(rejected) => rejected.into_response(),
    }
}

async fn rerank(
    app: &App,
    call: Call,
    Body(request, _): Body<Jina, JinaRerankRequest>,
) -> Answer<Jina> {
    let as_probability = request.extension.normalize.unwrap_or(true);
    let documents = request.documents.into_texts();
    let returned = request.return_documents.unwrap_or(true).then(|| documents.clone());
    let model = app.reranker()?.name.clone();
    let scores = Ranking::new(request.query, documents, request.extension).score(app, call).await?;
    let result = |(index, score): (usize, Score)| JinaResult {
        index,
        document: returned.as_ref().map(|texts| DocumentText { text: texts[index].clone() }),
        relevance_score: score.shown(as_probability) as f32,
    };
    let top_n = request.top_n.unwrap_or(usize::MAX);
    let response = JinaRerankResponse {
        id: format!("rerank-{}", uuid::Uuid::new_v4().simple()),
        object: "list",
        model,
        usage: scores.compute.into(),
        results: scores.ranked().into_iter().take(top_n).map(result).collect(),
    };
    answer(scores.compute, response).await
}

impl Dialect for Jina {
    fn error(error: &Error) -> Response {
        let (status, ..) = openai::status_type_code(error);
        (status, Json(JinaError { detail: error.to_string() })).into_response()
    }
}
