//! Cohere: `/v2/rerank`, and `/v1/rerank` where the body is Cohere's.

use super::{
    Answer, Body, Dialect, DocumentText, Documents, Fields, FromFields, RankedDocument, Ranking,
    SharedFields, answer, top_n,
};
use crate::app::{App, SharedApp};
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::inference::Call;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Documents that Cohere bills as one search.
const DOCUMENTS_PER_SEARCH: usize = 100;

/// Cohere.
pub struct Cohere;

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct CohereError {
    /// For people.
    pub message: String,
}

/// Documents to order by how well they answer a query.
#[derive(Debug, ToSchema)]
pub struct CohereRerankRequest {
    /// Any name: there is one reranker.
    #[allow(dead_code, reason = "clients must send it")]
    pub model: Option<String>,
    /// The query.
    pub query: String,
    /// The documents.
    #[serde(flatten)]
    pub documents: Documents,
    /// Only the best so many (also `top_k`).
    pub top_n: Option<usize>,
    /// Documents are cut to this many tokens; otherwise pairs are cut to what the model takes.
    pub max_tokens_per_doc: Option<usize>,
    /// Whether the answer repeats the documents (version 1).
    pub return_documents: Option<bool>,
    /// What all dialects take.
    #[serde(flatten)]
    pub shared: SharedFields,
}

impl FromFields for CohereRerankRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            model: fields.text(&["model"])?,
            query: fields.need(&["query"])?.text()?,
            documents: Documents::from_fields(fields)?,
            top_n: top_n(fields, 1)?,
            max_tokens_per_doc: fields.count(&["max_tokens_per_doc"], 1)?,
            return_documents: fields.flag(&["return_documents"])?,
            shared: SharedFields::from_fields(fields)?,
        })
    }
}

/// Documents, best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CohereRerankResponse {
    /// Of the answer.
    pub id: String,
    /// Best first.
    pub results: Vec<CohereResult>,
    /// What it would cost there.
    pub meta: CohereMeta,
}

/// A document's place.
#[derive(Debug, Serialize, ToSchema)]
pub struct CohereResult {
    /// The document, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentText>,
    /// Index among the documents.
    pub index: usize,
    /// Probability that it answers the query.
    pub relevance_score: f32,
}

/// What a request would cost there.
#[derive(Debug, Serialize, ToSchema)]
pub struct CohereMeta {
    /// Of the dialect.
    pub api_version: CohereVersion,
    /// By searches.
    pub billed_units: CohereUnits,
}

/// Of the dialect.
#[derive(Debug, Serialize, ToSchema)]
pub struct CohereVersion {
    /// `1` or `2`
    pub version: &'static str,
    /// `false`
    pub is_experimental: bool,
}

/// What a request would be billed for there.
#[derive(Debug, Serialize, ToSchema)]
pub struct CohereUnits {
    /// One for each hundred documents.
    pub search_units: usize,
}

/// Documents by how well they answer a query.
#[utoipa::path(
    post, path = "/v2/rerank", tag = "Cohere",
    request_body = CohereRerankRequest,
    responses(
        (status = 200, description = "The documents, best first", body = CohereRerankResponse),
        (status = "4XX", description = "The request is wrong, or too much waits", body = CohereError),
        (status = "5XX", description = "The device failed, or the engine is being rebuilt", body = CohereError),
    )
)]
pub async fn rerank_v2(
    State(app): State<SharedApp>,
    call: Call,
    body: Body<Cohere, CohereRerankRequest>,
) -> Answer<Cohere> {
    rerank(&app, call, body, "2").await
}

/// The same for either version.
pub async fn rerank(
    app: &App,
    call: Call,
    Body(request, _): Body<Cohere, CohereRerankRequest>,
    version: &'static str,
) -> Answer<Cohere> {
    let documents = request.documents.into_texts();
    let search_units = documents.len().div_ceil(DOCUMENTS_PER_SEARCH);
    let mut ranking = Ranking::new(request.query, documents, request.shared);
    ranking.max_document_tokens = request.max_tokens_per_doc;
    ranking.top_n = request.top_n;
    ranking.return_documents = request.return_documents.unwrap_or(false);
    let ranked = ranking.compute(app, call).await?;
    let result = |document: RankedDocument| CohereResult {
        document: document.text.map(|text| DocumentText { text }),
        index: document.index,
        relevance_score: document.score,
    };
    let response = CohereRerankResponse {
        id: uuid::Uuid::new_v4().to_string(),
        results: ranked.documents.into_iter().map(result).collect(),
        meta: CohereMeta {
            api_version: CohereVersion { version, is_experimental: false },
            billed_units: CohereUnits { search_units },
        },
    };
    answer(ranked.cost, response).await
}

impl Dialect for Cohere {
    fn error(error: &Error) -> Response {
        let status = match error.kind() {
            ErrorKind::WrongModel => StatusCode::NOT_FOUND,
            ErrorKind::Device => StatusCode::INTERNAL_SERVER_ERROR,
            _ => error.status(),
        };
        (status, Json(CohereError { message: error.to_string() })).into_response()
    }
}
