//! Routes of platforms that know one for everything: `/` and `/invocations`
//! (SageMaker), `/vertex` (Vertex AI). The body says what it is for.

use super::{
    EmbedRequest, Rank, RerankRequest, SimilarityRequest, Tei, TeiError, cosines, ranks, vectors,
};
use crate::app::{App, SharedApp};
use crate::dialects::{Answer, Body, Fields, FromFields, Kind, Rejected, Value, answer};
use crate::error::Error;
use crate::inference::{Call, Compute};
use axum::Extension as Layered;
use axum::extract::State;
use axum::response::Json;
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
    Layered(call): Layered<Call>,
    Body(body, _): Body<Tei, InvokeRequest>,
) -> Answer<Tei> {
    let (compute, invoked) = invoke(&app, call, body).await?;
    answer(compute, invoked).await
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
    Layered(call): Layered<Call>,
    Body(VertexRequest { mut instances }, _): Body<Tei, VertexRequest>,
) -> Result<Json<VertexResponse>, Rejected<Tei>> {
    let (found, max) = (instances.len(), app.inference.settings.max_client_batch_size);
    match found {
        0 => return Err(Error::Empty { field: "instances".to_owned() }.into()),
        _ if found > max => return Err(Error::BatchSize { found, max }.into()),
        _ => {}
    }
    let mut predictions = Vec::with_capacity(found);
    while !instances.is_empty() {
        let rest = instances.split_off(instances.len().min(AT_ONCE));
        let mut running = JoinSet::new();
        for (index, body) in instances.into_iter().enumerate() {
            let app = app.clone();
            running.spawn(async move { (index, invoke(&app, call, body).await) });
        }
        let mut done = running.join_all().await;
        done.sort_by_key(|(index, _)| *index);
        for (_, result) in done {
            predictions.push(result?.1);
        }
        instances = rest;
    }
    Ok(Json(VertexResponse { predictions }))
}

async fn invoke(app: &App, call: Call, body: InvokeRequest) -> Result<(Compute, Invoked), Error> {
    match body {
        InvokeRequest::Embed(body) => {
            let (compute, vectors) = vectors(app, call, body).await?;
            Ok((compute, Invoked::Vectors(vectors)))
        }
        InvokeRequest::Similarity(body) => {
            let (compute, cosines) = cosines(app, call, body).await?;
            Ok((compute, Invoked::Cosines(cosines)))
        }
        InvokeRequest::Rerank(body) => {
            let (compute, ranks) = ranks(app, call, body).await?;
            Ok((compute, Invoked::Ranks(ranks)))
        }
    }
}
