//! Routes of platforms that know one for everything: `/` and `/invocations`
//! (SageMaker), `/vertex` (Vertex AI). The body says what it is for.

use super::{
    EmbedRequest, Rank, RerankRequest, SimilarityRequest, Tei, TeiError, cosines, ranks, vectors,
};
use crate::app::{App, SharedApp};
use crate::dialects::{Answer, Body, Fields, FromFields, Kind, Value, answer};
use crate::error::Error;
use crate::inference::{Call, Cost, aside};
use axum::extract::State;
use axum::response::{IntoResponse, Json};
use serde::Serialize;
use tokio::task::JoinSet;
use utoipa::ToSchema;

/// Instances of one request that are computed at the same time.
const AT_ONCE: usize = 16;

/// A body for the one route.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub enum InvokeRequest {
    /// As of `/embed`.
    Embed(EmbedRequest),
    /// As of `/similarity`.
    Similarity(SimilarityRequest),
    /// As of `/rerank`.
    Rerank(RerankRequest),
}

/// Bodies for Vertex AI.
#[derive(Debug, ToSchema)]
pub struct VertexRequest {
    /// Bodies of `/embed`, `/similarity` or `/rerank`.
    pub instances: Vec<InvokeRequest>,
}

impl FromFields for InvokeRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        if fields.has("query") || fields.has("texts") {
            return Ok(Self::Rerank(RerankRequest::from_fields(fields)?));
        }
        match fields.need(&["inputs"])?.kind() {
            Kind::Object => Ok(Self::Similarity(SimilarityRequest::from_fields(fields)?)),
            _ => Ok(Self::Embed(EmbedRequest::from_fields(fields)?)),
        }
    }
}

impl FromFields for VertexRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        let instance = |value: Value<'_>| InvokeRequest::from_fields(&value.object()?);
        Ok(Self { instances: fields.need(&["instances"])?.each("a list of bodies", instance)? })
    }
}

/// Answers for Vertex AI.
#[derive(Debug, Serialize, ToSchema)]
pub struct VertexResponse {
    /// In the order of the instances.
    pub predictions: Vec<Invoked>,
}

/// The answer to a body.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Invoked {
    /// As of `/embed`.
    Vectors(Vec<Vec<f32>>),
    /// As of `/similarity`.
    Cosines(Vec<f32>),
    /// As of `/rerank`.
    Ranks(Vec<Rank>),
}

/// The routes `/embed`, `/similarity` and `/rerank` in one, also as `/`: a body
/// with `query` is ranked; `inputs` with sentences are compared.
#[utoipa::path(
    post, path = "/invocations", tag = "text-embeddings-inference",
    request_body = InvokeRequest,
    responses(
        (status = 200, description = "As of the route that the body is for", body = Invoked),
        (status = "4XX", description = "As of `/embed`", body = TeiError),
    )
)]
pub async fn invocations(
    State(app): State<SharedApp>,
    call: Call,
    Body(body, _): Body<Tei, InvokeRequest>,
) -> Answer<Tei> {
    let (cost, invoked) = body.invoke(&app, call).await?;
    answer(cost, invoked).await
}

/// The same for several bodies.
#[utoipa::path(
    post, path = "/vertex", tag = "text-embeddings-inference",
    request_body = VertexRequest,
    responses(
        (status = 200, description = "An answer per instance", body = VertexResponse),
        (status = "4XX", description = "As of `/embed`", body = TeiError),
    )
)]
pub async fn vertex(
    State(app): State<SharedApp>,
    call: Call,
    Body(VertexRequest { mut instances }, _): Body<Tei, VertexRequest>,
) -> Answer<Tei> {
    app.inference.check_texts("instances", instances.len())?;
    let texts: usize = instances.iter().map(InvokeRequest::texts).sum();
    // As of a single request: before anything is computed.
    app.inference.check_texts("inputs", texts)?;
    let width = app.models.embedder().map_or(1, |model| model.host.max_dimensions());
    app.inference.check_answer(texts.saturating_mul(4 * width))?;
    let (mut predictions, mut numbers) = (Vec::with_capacity(instances.len()), 0);
    while !instances.is_empty() {
        let rest = instances.split_off(instances.len().min(AT_ONCE));
        let mut running = JoinSet::new();
        for (index, instance) in instances.into_iter().enumerate() {
            let (app, call) = (app.clone(), call.clone());
            running.spawn(async move { (index, instance.invoke(&app, call).await) });
        }
        let mut done = running.join_all().await;
        done.sort_by_key(|(index, _)| *index);
        for (_, result) in done {
            let (cost, invoked) = result?;
            numbers += cost.numbers;
            predictions.push(invoked);
        }
        instances = rest;
    }
    let response = move || Json(VertexResponse { predictions }).into_response();
    Ok(aside(numbers > 4096, response).await?)
}

impl InvokeRequest {
    fn texts(&self) -> usize {
        match self {
            Self::Embed(request) => request.inputs.count(),
            Self::Similarity(request) => 1 + request.inputs.sentences.len(),
            Self::Rerank(request) => request.texts.len(),
        }
    }

    async fn invoke(self, app: &App, call: Call) -> Result<(Cost, Invoked), Error> {
        Ok(match self {
            Self::Embed(request) => {
                let embedded = vectors(app, call, request).await?;
                (embedded.cost, Invoked::Vectors(embedded.results))
            }
            Self::Similarity(request) => {
                let (cost, cosines) = cosines(app, call, request).await?;
                (cost, Invoked::Cosines(cosines))
            }
            Self::Rerank(request) => {
                let (cost, ranks) = ranks(app, call, request).await?;
                (cost, Invoked::Ranks(ranks))
            }
        })
    }
}
