//! `/info`.

use crate::app::{Models, SharedApp};
use crate::inference::Model;
use axum::extract::State;
use axum::response::Json;
use qwen3_engine::{EmbedderHost, RerankerHost};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What is served, and within which limits.
#[derive(Debug, Serialize, ToSchema)]
pub struct Info {
    /// Hub id or path.
    pub model_id: String,
    /// The commit on the hub, if one was asked for.
    pub model_sha: Option<String>,
    /// Device and precision of the weights of each replica.
    pub model_dtype: String,
    /// What clients see as its name.
    pub served_model_name: String,
    /// What it is for.
    pub model_type: ModelType,
    /// Requests at the same time.
    pub max_concurrent_requests: usize,
    /// Tokens of a text.
    pub max_input_length: usize,
    /// Tokens of a batch.
    pub max_batch_tokens: usize,
    /// Texts of a batch.
    pub max_batch_requests: Option<usize>,
    /// Texts of a request.
    pub max_client_batch_size: usize,
    /// Whether longer texts are cut.
    pub auto_truncate: bool,
    /// Threads that tokenize.
    pub tokenization_workers: usize,
    /// Of this program.
    pub version: &'static str,
    /// Of its source, where known.
    pub sha: Option<&'static str>,
    /// Of its image, where known.
    pub docker_label: Option<&'static str>,
    /// The reranker beside an embedding model; a field of our own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reranker: Option<ServedModel>,
}

/// What a model is for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelType {
    /// Vectors.
    Embedding(EmbeddingType),
    /// Scores.
    Reranker(RerankerType),
}

/// How vectors are made.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmbeddingType {
    /// `last_token`
    pub pooling: &'static str,
}

/// What scores say.
#[derive(Debug, Serialize, ToSchema)]
pub struct RerankerType {
    /// Names of the outputs.
    pub id2label: BTreeMap<String, String>,
    /// The same, the other way round.
    pub label2id: BTreeMap<String, usize>,
}

/// One of two models.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServedModel {
    /// What clients see as its name.
    pub served_model_name: String,
    /// Tokens of a pair.
    pub max_input_length: usize,
    /// What it is for.
    pub model_type: ModelType,
}

/// What is served, and within which limits.
#[utoipa::path(
    get, path = "/info", tag = "text-embeddings-inference",
    responses((status = 200, description = "The model", body = Info))
)]
pub async fn info(State(app): State<SharedApp>) -> Json<Info> {
    let settings = &app.inference.settings;
    let (served, model, reranker) = match &app.models {
        Models::Embedder(model) => (embedder(model), &model.about, None),
        Models::Reranker(model) => (self::reranker(model), &model.about, None),
        Models::Both(model, reranker) => {
            (embedder(model), &model.about, Some(self::reranker(reranker)))
        }
    };
    Json(Info {
        model_id: model.model_id.clone(),
        model_sha: model.revision.clone(),
        model_dtype: model.dtype.clone(),
        served_model_name: served.served_model_name,
        model_type: served.model_type,
        max_concurrent_requests: settings.max_concurrent_requests,
        max_input_length: served.max_input_length,
        max_batch_tokens: model.max_batch_tokens,
        max_batch_requests: model.max_batch_requests,
        max_client_batch_size: settings.max_client_batch_size,
        auto_truncate: settings.auto_truncate,
        tokenization_workers: settings.tokenization_workers,
        version: env!("CARGO_PKG_VERSION"),
        sha: None,
        docker_label: None,
        reranker,
    })
}

fn embedder(model: &Model<EmbedderHost>) -> ServedModel {
    ServedModel {
        served_model_name: model.name.clone(),
        max_input_length: model.host.limit().max_tokens,
        model_type: ModelType::Embedding(EmbeddingType { pooling: "last_token" }),
    }
}

fn reranker(model: &Model<RerankerHost>) -> ServedModel {
    let label = model.host.label().to_owned();
    ServedModel {
        served_model_name: model.name.clone(),
        max_input_length: model.host.limit().max_tokens,
        model_type: ModelType::Reranker(RerankerType {
            id2label: [("0".to_owned(), label.clone())].into(),
            label2id: [(label, 0)].into(),
        }),
    }
}
