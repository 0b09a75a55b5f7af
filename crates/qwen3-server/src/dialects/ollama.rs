//! Ollama: `/api/embed`, `/api/embeddings`, `/api/tags`, `/api/version`.

use super::{
    Answer, Body, Dialect, Fields, FromFields, SharedFields, Texts, Truncation, answer, dimensions,
    status_type_code,
};
use crate::app::SharedApp;
use crate::error::Error;
use crate::inference::{About, Call, InputItem, VectorOptions};
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What all models are.
const FAMILY: &str = "qwen3";

/// Ollama.
pub struct Ollama;

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct OllamaError {
    /// For people.
    pub error: String,
}

/// Texts to turn into vectors. `options` and `keep_alive` are accepted, and
/// have no effect: the server's own settings hold.
#[derive(Debug, ToSchema)]
pub struct OllamaEmbedRequest {
    /// Any name: there is one embedding model.
    #[allow(dead_code, reason = "clients must send it")]
    pub model: Option<String>,
    /// A text or several. None, or one that is empty, only asks whether the model is there.
    pub input: Option<Texts>,
    /// Whether texts that are too long are cut; by default they are.
    pub truncate: Option<bool>,
    /// Keep this many of the first dimensions; 0: all.
    pub dimensions: Option<usize>,
    /// What all dialects take.
    #[serde(flatten)]
    pub shared: SharedFields,
}

impl FromFields for OllamaEmbedRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            model: fields.text(&["model"])?,
            input: fields.find(&["input"])?.map(Texts::read).transpose()?,
            truncate: fields.flag(&["truncate"])?,
            dimensions: dimensions(fields)?.filter(|dimensions| *dimensions > 0),
            shared: SharedFields::from_fields(fields)?,
        })
    }
}

/// Vectors of texts.
#[derive(Debug, Serialize, ToSchema)]
pub struct OllamaEmbedResponse {
    /// The model's name.
    pub model: String,
    /// In the order of the inputs, of length 1.
    pub embeddings: Vec<Vec<f32>>,
    /// Nanoseconds.
    pub total_duration: u64,
    /// Nanoseconds; the model is loaded already.
    pub load_duration: u64,
    /// Tokens.
    pub prompt_eval_count: usize,
}

/// A text to turn into a vector, in the older way.
#[derive(Debug, ToSchema)]
pub struct OllamaEmbeddingsRequest {
    /// Any name: there is one embedding model.
    #[allow(dead_code, reason = "clients must send it")]
    pub model: Option<String>,
    /// The text. None, or an empty one, only asks whether the model is there.
    pub prompt: Option<String>,
    /// What all dialects take.
    #[serde(flatten)]
    pub shared: SharedFields,
}

impl FromFields for OllamaEmbeddingsRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            model: fields.text(&["model"])?,
            prompt: fields.text(&["prompt"])?,
            shared: SharedFields::from_fields(fields)?,
        })
    }
}

/// The vector of a text.
#[derive(Debug, Serialize, ToSchema)]
pub struct OllamaEmbeddingsResponse {
    /// Of length 1.
    pub embedding: Vec<f32>,
}

/// The models that are served.
#[derive(Debug, Serialize, ToSchema)]
pub struct OllamaTags {
    /// One or two.
    pub models: Vec<OllamaModel>,
}

/// A model that is served.
#[derive(Debug, Serialize, ToSchema)]
pub struct OllamaModel {
    /// Its name.
    pub name: String,
    /// The same.
    pub model: String,
    /// Its file and its family.
    pub details: OllamaDetails,
}

/// What a model is.
#[derive(Debug, Serialize, ToSchema)]
pub struct OllamaDetails {
    /// That of its file: `gguf` or `safetensors`.
    pub format: &'static str,
    /// `qwen3`
    pub family: &'static str,
    /// The same, as a list.
    pub families: [&'static str; 1],
    /// How most of the weights are stored, such as `BF16` or `Q8_0`.
    pub quantization_level: String,
}

/// Of this program.
#[derive(Debug, Serialize, ToSchema)]
pub struct OllamaVersion {
    /// The version.
    pub version: &'static str,
}

/// Vectors of texts.
#[utoipa::path(
    post, path = "/api/embed", tag = "Ollama",
    request_body = OllamaEmbedRequest,
    responses(
        (status = 200, description = "A vector per text", body = OllamaEmbedResponse),
        (status = "4XX", description = "The request is wrong, or too much waits", body = OllamaError),
        (status = "5XX", description = "The device failed, or the engine is being rebuilt", body = OllamaError),
    )
)]
pub async fn embed(
    State(app): State<SharedApp>,
    call: Call,
    Body(request, _): Body<Ollama, OllamaEmbedRequest>,
) -> Answer<Ollama> {
    let texts = match request.input {
        None => vec![],
        Some(Texts::One(text)) if text.is_empty() => vec![],
        Some(texts) => texts.into_list(),
    };
    let mut response = OllamaEmbedResponse {
        model: app.embedder()?.name.clone(),
        embeddings: vec![],
        total_duration: 0,
        load_duration: 0,
        prompt_eval_count: 0,
    };
    if texts.is_empty() {
        return Ok(Json(response).into_response());
    }
    let options =
        VectorOptions { dimensions: request.dimensions, normalize: request.shared.normalizes() };
    let inputs = texts.into_iter().map(InputItem::Text).collect();
    let truncation = Truncation::of_flag(request.truncate.or(Some(true)));
    let texts = request.shared.texts(&app, inputs, truncation)?;
    let embedded = app.inference.embed(app.embedder()?, call, texts, options).await?;
    let total_duration = embedded.cost.times.total.as_nanos();
    response.embeddings = embedded.results;
    response.total_duration = u64::try_from(total_duration).unwrap_or(u64::MAX);
    response.prompt_eval_count = embedded.cost.tokens;
    answer(embedded.cost, response).await
}

/// The vector of a text, in the older way.
#[utoipa::path(
    post, path = "/api/embeddings", tag = "Ollama",
    request_body = OllamaEmbeddingsRequest,
    responses(
        (status = 200, description = "The vector", body = OllamaEmbeddingsResponse),
        (status = "4XX", description = "As of `/api/embed`", body = OllamaError),
        (status = "5XX", description = "As of `/api/embed`", body = OllamaError),
    )
)]
pub async fn embeddings(
    State(app): State<SharedApp>,
    call: Call,
    Body(request, _): Body<Ollama, OllamaEmbeddingsRequest>,
) -> Answer<Ollama> {
    let Some(text) = request.prompt.filter(|prompt| !prompt.is_empty()) else {
        app.embedder()?;
        return Ok(Json(OllamaEmbeddingsResponse { embedding: vec![] }).into_response());
    };
    let options = VectorOptions { dimensions: None, normalize: request.shared.normalizes() };
    let truncation = Truncation::of_flag(Some(true));
    let texts = request.shared.texts(&app, vec![InputItem::Text(text)], truncation)?;
    let mut embedded = app.inference.embed(app.embedder()?, call, texts, options).await?;
    let embedding = embedded.results.pop().expect("a vector per text");
    answer(embedded.cost, OllamaEmbeddingsResponse { embedding }).await
}

/// The models that are served.
#[utoipa::path(
    get, path = "/api/tags", tag = "Ollama",
    responses((status = 200, description = "One or two models", body = OllamaTags))
)]
pub async fn tags(State(app): State<SharedApp>) -> Json<OllamaTags> {
    let embedder = app.models.embedder().map(|model| described(&model.name, &model.about));
    let reranker = app.models.reranker().map(|model| described(&model.name, &model.about));
    Json(OllamaTags { models: embedder.into_iter().chain(reranker).collect() })
}

fn described(name: &str, about: &About) -> OllamaModel {
    let details = OllamaDetails {
        format: if about.is_gguf { "gguf" } else { "safetensors" },
        family: FAMILY,
        families: [FAMILY],
        quantization_level: about.stored_dtype.name().to_uppercase(),
    };
    OllamaModel { name: name.to_owned(), model: name.to_owned(), details }
}

/// The version of this program.
#[utoipa::path(
    get, path = "/api/version", tag = "Ollama",
    responses((status = 200, description = "The version", body = OllamaVersion))
)]
pub async fn version() -> Json<OllamaVersion> {
    Json(OllamaVersion { version: env!("CARGO_PKG_VERSION") })
}

impl Dialect for Ollama {
    fn error(error: &Error) -> Response {
        let (status, ..) = status_type_code(error);
        (status, Json(OllamaError { error: error.to_string() })).into_response()
    }
}
