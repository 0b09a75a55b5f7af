//! llama.cpp's server: `/embedding`. Its reranking is on `/v1/rerank`, under
//! `/reranking` and `/v1/reranking` too.

use super::{
    Answer, Body, Dialect, Fields, FromFields, Inputs, SharedFields, Truncation, answer,
    status_type_code,
};
use crate::app::SharedApp;
use crate::error::Error;
use crate::inference::{Call, VectorOptions};
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// llama.cpp's server.
pub struct LlamaCpp;

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct LlamaCppError {
    /// All of it.
    pub error: LlamaCppErrorDetails,
}

/// What went wrong, in detail.
#[derive(Debug, Serialize, ToSchema)]
pub struct LlamaCppErrorDetails {
    /// The status.
    pub code: u16,
    /// For people.
    pub message: String,
    /// For programs.
    pub r#type: &'static str,
}

/// Texts to turn into vectors.
#[derive(Debug, ToSchema)]
pub struct EmbeddingRequest {
    /// A text, token ids, or a list of them (also `input`).
    pub content: Inputs,
    /// -1: as they are; 2: of length 1.
    pub embd_normalize: Option<i64>,
    /// What all dialects take.
    #[serde(flatten)]
    pub shared: SharedFields,
}

impl FromFields for EmbeddingRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            content: Inputs::read(fields.need(&["content", "input"])?)?,
            embd_normalize: fields.whole(&["embd_normalize"])?,
            shared: SharedFields::from_fields(fields)?,
        })
    }
}

/// The vector of a text.
#[derive(Debug, Serialize, ToSchema)]
pub struct LlamaCppEmbedding {
    /// Index of the input.
    pub index: usize,
    /// One vector, in a list.
    pub embedding: Vec<Vec<f32>>,
}

/// Vectors of texts.
#[utoipa::path(
    post, path = "/embedding", tag = "llama.cpp",
    request_body = EmbeddingRequest,
    responses(
        (status = 200, description = "A vector per text", body = Vec<LlamaCppEmbedding>),
        (status = "4XX", description = "The request is wrong, or too much waits", body = LlamaCppError),
        (status = "5XX", description = "The device failed, or the engine is being rebuilt", body = LlamaCppError),
    )
)]
pub async fn embedding(
    State(app): State<SharedApp>,
    call: Call,
    Body(request, _): Body<LlamaCpp, EmbeddingRequest>,
) -> Answer<LlamaCpp> {
    let EmbeddingRequest { content, embd_normalize, shared } = request;
    let normalize = match embd_normalize {
        None => shared.normalizes(),
        Some(-1) => false,
        Some(2) => true,
        Some(other) => {
            let reason = format!("must be -1 (none) or 2 (length 1). Given: {other}");
            return Err(Error::Invalid { field: "embd_normalize", reason }.into());
        }
    };
    let options = VectorOptions { dimensions: None, normalize };
    let texts = shared.texts(&app, content.into_list(), Truncation::default())?;
    let embedded = app.inference.embed(app.embedder()?, call, texts, options).await?;
    let vectors = embedded.results.into_iter().enumerate();
    let response: Vec<_> = vectors
        .map(|(index, vector)| LlamaCppEmbedding { index, embedding: vec![vector] })
        .collect();
    answer(embedded.cost, response).await
}

impl Dialect for LlamaCpp {
    fn error(error: &Error) -> Response {
        let (status, r#type, _) = status_type_code(error);
        let (code, message) = (status.as_u16(), error.to_string());
        let error = LlamaCppErrorDetails { code, message, r#type };
        (status, Json(LlamaCppError { error })).into_response()
    }
}
