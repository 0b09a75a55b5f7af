//! OpenAI: `/v1/embeddings` and `/v1/models`.

use super::{
    Answer, Body, Dialect, EmbeddingsRequest, Numbers, Usage, answer, param, status_type_code,
};
use crate::app::SharedApp;
use crate::error::Error;
use crate::inference::Call;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// OpenAI.
pub struct OpenAi;

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenAiError {
    /// All of it.
    pub error: OpenAiErrorDetails,
}

/// What went wrong, in detail.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenAiErrorDetails {
    /// For people.
    pub message: String,
    /// For programs.
    pub r#type: &'static str,
    /// The field that is wrong.
    pub param: Option<String>,
    /// For programs, in more detail.
    pub code: Option<&'static str>,
}

/// Vectors of texts.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmbeddingsResponse {
    /// `list`
    pub object: &'static str,
    /// In the order of the inputs.
    pub data: Vec<EmbeddingObject>,
    /// The model's name.
    pub model: String,
    /// Tokens.
    pub usage: Usage,
}

/// The vector of a text.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmbeddingObject {
    /// `embedding`
    pub object: &'static str,
    /// Index of the input.
    pub index: usize,
    /// The vector.
    pub embedding: Numbers,
    /// Whether the text was cut; a field of our own, left out where it wasn't.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// The models that are served.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelList {
    /// `list`
    pub object: &'static str,
    /// One or two.
    pub data: Vec<ModelObject>,
}

/// A model that is served.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelObject {
    /// Its name.
    pub id: String,
    /// `model`
    pub object: &'static str,
    /// Seconds from 1970 to the start of the server.
    pub created: u64,
    /// `qwen3`
    pub owned_by: &'static str,
}

/// Vectors of texts.
#[utoipa::path(
    post, path = "/v1/embeddings", tag = "OpenAI",
    request_body = EmbeddingsRequest,
    responses(
        (status = 200, description = "A vector per input", body = EmbeddingsResponse),
        (status = "4XX", description = "The request is wrong, or too much waits", body = OpenAiError),
        (status = "5XX", description = "The device failed, or the engine is being rebuilt", body = OpenAiError),
    )
)]
pub async fn embeddings(
    State(app): State<SharedApp>,
    call: Call,
    Body(request, _): Body<OpenAi, EmbeddingsRequest>,
) -> Answer<OpenAi> {
    let format = request.encoding_format.unwrap_or_default();
    let embedded = request.vectors(&app, call).await?;
    let vectors = embedded.results.into_iter().zip(embedded.lengths).enumerate();
    let data = vectors.map(|(index, (vector, length))| EmbeddingObject {
        object: "embedding",
        index,
        embedding: format.write(vector),
        truncated: length.truncated,
    });
    let response = EmbeddingsResponse {
        object: "list",
        data: data.collect(),
        model: app.embedder()?.name.clone(),
        usage: embedded.cost.into(),
    };
    answer(embedded.cost, response).await
}

/// The models that are served.
#[utoipa::path(
    get, path = "/v1/models", tag = "OpenAI",
    responses((status = 200, description = "One or two models", body = ModelList))
)]
pub async fn models(State(app): State<SharedApp>) -> Json<ModelList> {
    let model = |name: &str| ModelObject {
        id: name.to_owned(),
        object: "model",
        created: app.created,
        owned_by: "qwen3",
    };
    Json(ModelList { object: "list", data: app.names().map(model).collect() })
}

/// The input that an error is about.
fn input(error: &Error) -> Option<String> {
    match error {
        Error::BatchSize { .. } => Some("input".to_owned()),
        Error::Text { input, .. } | Error::TooLong { input, .. } => Some(format!("input[{input}]")),
        _ => None,
    }
}

impl Dialect for OpenAi {
    fn error(error: &Error) -> Response {
        let (status, r#type, code) = status_type_code(error);
        let (message, param) = (error.to_string(), param(error).or_else(|| input(error)));
        let error = OpenAiErrorDetails { message, r#type, param, code };
        (status, Json(OpenAiError { error })).into_response()
    }
}
