//! llama.cpp's server: `/embedding`. Its reranking is on `/v1/rerank`, under
//! `/reranking` and `/v1/reranking` too.

use super::openai::status_type_code;
use super::{Answer, Body, Dialect, Extension, Fields, FromFields, Inputs, answer};
use crate::app::SharedApp;
use crate::error::Error;
use crate::inference::{Call, Vector};
use axum::Extension as Layered;
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
    pub extension: Extension,
}

impl FromFields for EmbeddingRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            content: Inputs::read(fields.need(&["content", "input"])?)?,
            embd_normalize: fields.whole(&["embd_normalize"])?,
            extension: Extension::from_fields(fields)?,
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
    Layered(call): Layered<Call>,
    Body(request, _): Body<LlamaCpp, EmbeddingRequest>,
) -> Answer<LlamaCpp> {
    let EmbeddingRequest { content, embd_normalize, extension } = request;
    let normalize = match embd_normalize {
        None => extension.normalize.unwrap_or(true),
        Some(-1) => false,
        Some(2) => true,
        Some(other) => {
            let reason = format!("must be -1 (none) or 2 (length 1). Given: {other}");
            return Err(Error::Invalid { field: "embd_normalize", reason }.into());
        }
    };
    let cut = extension.cut(None, None);
    let reading = extension.reading(&app, cut)?;
    let inputs = content.into_list();
    let vector = Vector { dimensions: None, normalize };
    let embedded = app.inference.embed(app.embedder()?, call, inputs, reading, vector).await?;
    let vectors = embedded.results.into_iter().enumerate();
    let response: Vec<_> = vectors
        .map(|(index, vector)| LlamaCppEmbedding { index, embedding: vec![vector] })
        .collect();
    answer(embedded.compute, response).await
}

impl Dialect for LlamaCpp {
    fn error(error: &Error) -> Response {
        let (status, r#type, _) = status_type_code(error);
        let (code, message) = (status.as_u16(), error.to_string());
        let error = LlamaCppErrorDetails { code, message, r#type };
        (status, Json(LlamaCppError { error })).into_response()
    }
}
