//! OpenAI: `/v1/embeddings` and `/v1/models`. vLLM's fields of the same route too.

use super::vllm::prompt_tokens;
use super::{
    Answer, Body, Dialect, Extension, Fields, FromFields, Inputs, Usage, Value, answer, dimensions,
};
use crate::app::{App, SharedApp};
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::inference::{Call, Results, Vector};
use axum::Extension as Layered;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use base64::Engine;
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

/// Texts to turn into vectors.
#[derive(Debug, ToSchema)]
pub struct EmbeddingsRequest {
    /// A text, token ids, or a list of them.
    pub input: Inputs,
    /// Any name: there is one embedding model.
    #[allow(dead_code, reason = "clients must send it")]
    pub model: Option<String>,
    /// How vectors are written.
    pub encoding_format: Option<EncodingFormat>,
    /// Keep this many of the first dimensions.
    pub dimensions: Option<usize>,
    /// Cut texts to this many tokens; -1: to as many as the model takes (vLLM).
    pub truncate_prompt_tokens: Option<i64>,
    /// What all dialects take.
    #[serde(flatten)]
    pub extension: Extension,
}

impl FromFields for EmbeddingsRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        let format = fields.find(&["encoding_format"])?;
        Ok(Self {
            input: Inputs::read(fields.need(&["input"])?)?,
            model: fields.text(&["model"])?,
            encoding_format: format.map(EncodingFormat::read).transpose()?,
            dimensions: dimensions(fields)?,
            truncate_prompt_tokens: fields.whole(&["truncate_prompt_tokens"])?,
            extension: Extension::from_fields(fields)?,
        })
    }
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum EncodingFormat {
    /// A list of numbers.
    #[default]
    Float,
    /// Little-endian float32 in base64.
    Base64,
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

/// A vector as it is written.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Numbers {
    /// Number by number.
    Float(Vec<f32>),
    /// Little-endian float32 in base64.
    Base64(String),
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
    Layered(call): Layered<Call>,
    Body(request, _): Body<OpenAi, EmbeddingsRequest>,
) -> Answer<OpenAi> {
    let format = request.encoding_format.unwrap_or_default();
    let embedded = vectors(&app, call, request).await?;
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
        usage: embedded.compute.into(),
    };
    answer(embedded.compute, response).await
}

/// The vectors that a request asks for.
pub(super) async fn vectors(
    app: &App,
    call: Call,
    request: EmbeddingsRequest,
) -> Result<Results<Vec<f32>>, Error> {
    let EmbeddingsRequest { input, dimensions, extension, .. } = request;
    let normalize = extension.normalize.unwrap_or(true);
    let (truncate, max_tokens) = prompt_tokens(request.truncate_prompt_tokens)?;
    let cut = extension.cut(truncate, max_tokens);
    let reading = extension.reading(app, cut)?;
    let inputs = input.into_list();
    let vector = Vector { dimensions, normalize };
    app.inference.embed(app.embedder()?, call, inputs, reading, vector).await
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

impl EncodingFormat {
    fn read(value: Value<'_>) -> Result<Self, Error> {
        match value.bare().to_ascii_lowercase().as_str() {
            "float" => Ok(Self::Float),
            "base64" => Ok(Self::Base64),
            _ => Err(value.expected("`float` or `base64`")),
        }
    }

    /// The vector in this format.
    pub fn write(self, vector: Vec<f32>) -> Numbers {
        match self {
            Self::Float => Numbers::Float(vector),
            Self::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                Numbers::Base64(base64::engine::general_purpose::STANDARD.encode(bytes))
            }
        }
    }
}

/// OpenAI's status, type and code of an error; vLLM and llama.cpp have the same statuses.
pub(super) fn status_type_code(error: &Error) -> (StatusCode, &'static str, Option<&'static str>) {
    let invalid = "invalid_request_error";
    match error.kind() {
        ErrorKind::Authentication => (error.status(), invalid, Some("invalid_api_key")),
        ErrorKind::Route | ErrorKind::Body => (error.status(), invalid, None),
        ErrorKind::Empty | ErrorKind::Validation | ErrorKind::Tokenizer => {
            (StatusCode::BAD_REQUEST, invalid, None)
        }
        ErrorKind::Overloaded => (error.status(), "rate_limit_error", Some("rate_limit_exceeded")),
        ErrorKind::WrongModel => (StatusCode::NOT_FOUND, invalid, Some("model_not_found")),
        ErrorKind::Device => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None),
        ErrorKind::Unavailable | ErrorKind::Internal => (error.status(), "server_error", None),
    }
}

/// The field that an error is about.
pub(super) fn param(error: &Error) -> Option<String> {
    match error {
        Error::Empty { field: path } | Error::Field { path, .. } => Some(path.clone()),
        Error::Invalid { field, .. } => Some((*field).to_owned()),
        Error::Prompt { .. } => Some("prompt_name".to_owned()),
        _ => None,
    }
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
