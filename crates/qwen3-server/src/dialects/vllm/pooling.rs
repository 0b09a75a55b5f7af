//! `/pooling`.

use super::{Vllm, VllmError};
use crate::app::{SharedApp, unix_seconds};
use crate::dialects::{Answer, Body, EmbeddingsRequest, Numbers, Usage, answer, new_id};
use crate::inference::Call;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

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
    call: Call,
    Body(request, _): Body<Vllm, EmbeddingsRequest>,
) -> Answer<Vllm> {
    let format = request.encoding_format.unwrap_or_default();
    let embedded = request.vectors(&app, call).await?;
    let data = embedded.results.into_iter().enumerate().map(|(index, vector)| PoolingObject {
        index,
        object: "pooling",
        data: format.write(vector),
    });
    let response = PoolingResponse {
        id: new_id("pool"),
        object: "list",
        created: unix_seconds(),
        model: app.embedder()?.name.clone(),
        data: data.collect(),
        usage: embedded.cost.into(),
    };
    answer(embedded.cost, response).await
}
