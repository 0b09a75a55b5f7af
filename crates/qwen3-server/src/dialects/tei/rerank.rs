//! `/rerank` and `/predict`.

use super::{Tei, TeiError};
use crate::app::{App, SharedApp};
use crate::dialects::{Answer, Body, Extension, Ranking, Rejected, answer, pair_reading};
use crate::error::Error;
use crate::inference::{Call, Compute, Pair, Score};
use axum::Extension as Layered;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Texts to order by how well they answer a query.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RerankRequest {
    /// The query.
    pub query: String,
    /// The texts.
    pub texts: Vec<String>,
    /// Whether texts that are too long are cut; `null`: as the server is set.
    #[serde(default)]
    pub truncate: Option<bool>,
    /// Log-odds instead of probabilities.
    #[serde(default)]
    pub raw_scores: bool,
    /// Whether the answer repeats the texts.
    #[serde(default)]
    pub return_text: bool,
    /// What all dialects take.
    #[serde(flatten)]
    pub extension: Extension,
}

/// A text's place.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rank {
    /// Index among the texts.
    pub index: usize,
    /// The text, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How well it answers.
    pub score: f32,
}

/// Pairs to score.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PredictRequest {
    /// A pair `[query, document]`, or a list of pairs.
    pub inputs: PredictInputs,
    /// Whether texts that are too long are cut; `null`: as the server is set.
    #[serde(default)]
    pub truncate: Option<bool>,
    /// Log-odds instead of probabilities.
    #[serde(default)]
    pub raw_scores: bool,
    /// What all dialects take.
    #[serde(flatten)]
    pub extension: Extension,
}

/// A pair of texts, or a list of pairs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "inputs are a pair of strings, or a list of pairs")]
pub enum PredictInputs {
    /// One text, which a reranker can't score.
    Text(String),
    /// One pair.
    Pair(Vec<String>),
    /// Several.
    Batch(Vec<Vec<String>>),
}

/// A score with what it is for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Prediction {
    /// The score.
    pub score: f32,
    /// `yes`, or what the classifier's config says.
    pub label: String,
}

/// Predictions of one pair, or of several.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Predictions {
    /// Of the pair.
    One(Vec<Prediction>),
    /// Of each pair.
    Batch(Vec<Vec<Prediction>>),
}

/// Scores of texts, best first. With `documents` instead of `texts` the
/// request and the answer are vLLM's.
#[utoipa::path(
    post, path = "/rerank", tag = "text-embeddings-inference",
    request_body = RerankRequest,
    responses(
        (status = 200, description = "The texts, best first", body = Vec<Rank>),
        (status = "4XX", description = "As of `/embed`", body = TeiError),
    )
)]
pub async fn rerank(
    app: &App,
    call: Call,
    Body(request, _): Body<Tei, RerankRequest>,
) -> Answer<Tei> {
    let (compute, ranks) = ranks(app, call, request).await?;
    answer(compute, ranks).await
}

/// The ranks that a request asks for.
pub(super) async fn ranks(
    app: &App,
    call: Call,
    request: RerankRequest,
) -> Result<(Compute, Vec<Rank>), Error> {
    let as_probability = !request.raw_scores && request.extension.normalize.unwrap_or(true);
    let texts = request.return_text.then(|| request.texts.clone());
    if request.texts.is_empty() {
        return Err(Error::Empty { field: "texts" });
    }
    let mut ranking = Ranking::new(request.query, request.texts, request.extension);
    ranking.truncate = request.truncate;
    let scores = ranking.score(app, call).await?;
    let rank = |(index, score): (usize, Score)| {
        let text = texts.as_ref().map(|texts| texts[index].clone());
        Rank { index, text, score: score.shown(as_probability) as f32 }
    };
    Ok((scores.compute, scores.ranked().into_iter().map(rank).collect()))
}

/// Scores of pairs of a query and a document.
#[utoipa::path(
    post, path = "/predict", tag = "text-embeddings-inference",
    request_body = PredictRequest,
    responses(
        (status = 200, description = "A score per pair", body = Predictions),
        (status = "4XX", description = "As of `/embed`", body = TeiError),
    )
)]
pub async fn predict(
    State(app): State<SharedApp>,
    Layered(call): Layered<Call>,
    Body(request, _): Body<Tei, PredictRequest>,
) -> Answer<Tei> {
    let as_probability = !request.raw_scores && request.extension.normalize.unwrap_or(true);
    let (inputs, is_batch) = match request.inputs {
        PredictInputs::Text(text) => (vec![vec![text]], false),
        PredictInputs::Pair(pair) => (vec![pair], false),
        PredictInputs::Batch(pairs) => (pairs, true),
    };
    if inputs.iter().all(Vec::is_empty) {
        return Err(Error::Empty { field: "inputs" }.into());
    }
    let pairs = inputs.into_iter().map(pair).collect::<Result<_, _>>()?;
    let reading = pair_reading(&app, request.extension, request.truncate, None)?;
    let reranker = app.reranker()?;
    let scores = app.inference.score(reranker, call, pairs, reading).await?;
    let prediction = |score: &Score| {
        let label = reranker.text.label().to_owned();
        vec![Prediction { score: score.shown(as_probability) as f32, label }]
    };
    let mut predictions: Vec<_> = scores.results.iter().map(prediction).collect();
    let response = match is_batch {
        true => Predictions::Batch(predictions),
        false => Predictions::One(predictions.remove(0)),
    };
    answer(scores.compute, response).await
}

fn pair(texts: Vec<String>) -> Result<Pair, Rejected<Tei>> {
    let [query, document] = <[String; 2]>::try_from(texts).map_err(|texts| {
        let found = texts.len();
        let reason = format!("must be pairs of a query and a document. Given: {found} texts");
        Error::Invalid { field: "inputs", reason }
    })?;
    Ok(Pair { query: query.into(), document })
}
