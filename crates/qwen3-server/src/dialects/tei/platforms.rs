//! Routes of platforms that know one for everything: `/` and `/invocations`
//! (SageMaker), `/vertex` (Vertex AI). The body says what it is for.

use super::{
    EmbedRequest, Rank, RerankRequest, SimilarityRequest, Tei, TeiError, cosines, ranks, vectors,
};
use crate::app::{App, SharedApp};
use crate::dialects::{Answer, Body, Rejected, answer};
use crate::error::Error;
use crate::inference::{Call, Compute};
use axum::Extension as Layered;
use axum::extract::State;
use axum::response::Json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::JoinSet;
use utoipa::ToSchema;

/// Instances of one request that are computed at the same time.
const AT_ONCE: usize = 16;

/// Bodies for Vertex AI.
#[derive(Debug, Deserialize, ToSchema)]
pub struct VertexRequest {
    /// Bodies of `/embed`, `/similarity` or `/rerank`.
    #[schema(value_type = Vec<Object>)]
    pub instances: Vec<Value>,
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
/// with `query`, or to a reranker alone, is ranked; `inputs` with sentences are compared.
#[utoipa::path(
    post, path = "/invocations", tag = "text-embeddings-inference",
    request_body = EmbedRequest,
    responses(
        (status = 200, description = "As of the route that the body is for", body = Invoked),
        (status = "4XX", description = "As of `/embed`", body = TeiError),
    )
)]
pub async fn invocations(
    State(app): State<SharedApp>,
    Layered(call): Layered<Call>,
    Body(body, _): Body<Tei, Value>,
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
        0 => return Err(Error::Empty { field: "instances" }.into()),
        _ if found > max => return Err(Error::BatchSize { found, max }.into()),
        _ => {}
    }
    let mut predictions = Vec::with_capacity(found);
    while !instances.is_empty() {
        let rest = instances.split_off(instances.len().min(AT_ONCE));
        let mut running = JoinSet::new();
        for (index, body) in instances.into_iter().enumerate() {
            let (app, call) = (app.clone(), call.clone());
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

async fn invoke(app: &App, call: Call, body: Value) -> Result<(Compute, Invoked), Error> {
    if body.get("query").is_some() || app.embedder.is_none() {
        let (compute, ranks) = ranks(app, call, read::<RerankRequest>(body)?).await?;
        Ok((compute, Invoked::Ranks(ranks)))
    } else if body.get("inputs").is_some_and(Value::is_object) {
        let (compute, cosines) = cosines(app, call, read::<SimilarityRequest>(body)?).await?;
        Ok((compute, Invoked::Cosines(cosines)))
    } else {
        let (compute, vectors) = vectors(app, call, read::<EmbedRequest>(body)?).await?;
        Ok((compute, Invoked::Vectors(vectors)))
    }
}

fn read<T: DeserializeOwned>(body: Value) -> Result<T, Error> {
    serde_json::from_value(body).map_err(|reason| Error::Shape { reason })
}
