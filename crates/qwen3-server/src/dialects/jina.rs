//! Jina: `/v1/rerank`. The answer also has what clients of vLLM, llama.cpp and
//! SGLang read on this route.

use super::{
    Answer, Body, Dialect, DocumentText, Documents, Fields, FromFields, RankedDocument, Ranking,
    SharedFields, Usage, answer, new_id, status_type_code, top_n,
};
use crate::app::App;
use crate::error::Error;
use crate::inference::Call;
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use utoipa::ToSchema;

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
    pub shared: SharedFields,
}

impl FromFields for JinaRerankRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            model: fields.text(&["model"])?,
            query: fields.need(&["query"])?.text()?,
            documents: Documents::from_fields(fields)?,
            top_n: top_n(fields, 0)?,
            return_documents: fields.flag(&["return_documents"])?,
            shared: SharedFields::from_fields(fields)?,
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
    post, path = "/v1/rerank", tag = "Jina", operation_id = "rerank_by_body",
    request_body = JinaRerankRequest,
    responses(
        (status = 200, description = "The documents, best first", body = JinaRerankResponse),
        (status = "4XX", description = "The request is wrong, or too much waits", body = JinaError),
        (status = "5XX", description = "The device failed, or the engine is being rebuilt", body = JinaError),
    )
)]
pub async fn rerank(
    app: &App,
    call: Call,
    Body(request, _): Body<Jina, JinaRerankRequest>,
) -> Answer<Jina> {
    let model = app.reranker()?.name.clone();
    let mut ranking = Ranking::new(request.query, request.documents.into_texts(), request.shared);
    ranking.top_n = request.top_n;
    ranking.return_documents = request.return_documents.unwrap_or(true);
    let ranked = ranking.compute(app, call).await?;
    let result = |document: RankedDocument| JinaResult {
        index: document.index,
        document: document.text.map(|text| DocumentText { text }),
        relevance_score: document.score,
    };
    let response = JinaRerankResponse {
        id: new_id("rerank"),
        object: "list",
        model,
        usage: ranked.cost.into(),
        results: ranked.documents.into_iter().map(result).collect(),
    };
    answer(ranked.cost, response).await
}

impl Dialect for Jina {
    fn error(error: &Error) -> Response {
        let (status, ..) = status_type_code(error);
        (status, Json(JinaError { detail: error.to_string() })).into_response()
    }
}
