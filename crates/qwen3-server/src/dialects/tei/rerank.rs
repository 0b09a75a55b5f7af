//! `/rerank` and `/predict`.

use super::{Tei, TeiError};
use crate::app::{App, SharedApp};
use crate::dialects::{
    Answer, Body, Document, Fields, FromFields, Kind, RankedDocument, Ranking, SharedFields,
    Truncation, Value, answer, top_n,
};
use crate::error::Error;
use crate::inference::{Call, Cost, LogOdds, Pair};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// What a reranker scores.
const PAIR: &str = "a pair of a query and a document";

/// Texts to order by how well they answer a query.
#[derive(Debug, ToSchema)]
pub struct RerankRequest {
    /// The query.
    pub query: String,
    /// The texts.
    pub texts: Vec<String>,
    /// Whether texts that are too long are cut; `null`: as the server is set.
    pub truncate: Option<bool>,
    /// Log-odds instead of probabilities.
    pub raw_scores: Option<bool>,
    /// Whether the answer repeats the texts (also `return_documents`).
    pub return_text: Option<bool>,
    /// Only the best so many; 0: all (also `top_k`).
    pub top_n: Option<usize>,
    /// What all dialects take.
    #[serde(flatten)]
    pub shared: SharedFields,
}

impl FromFields for RerankRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        let texts = Document::list(fields.need(&["texts"])?, &[])?;
        Ok(Self {
            query: fields.need(&["query"])?.text()?,
            texts: texts.into_iter().map(Document::into_text).collect(),
            truncate: fields.flag(&["truncate"])?,
            raw_scores: fields.flag(&["raw_scores"])?,
            return_text: fields.flag(&["return_text", "return_documents"])?,
            top_n: top_n(fields, 0)?,
            shared: SharedFields::from_fields(fields)?,
        })
    }
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
#[derive(Debug, ToSchema)]
pub struct PredictRequest {
    /// A pair `[query, document]`, or a list of pairs.
    pub inputs: PredictInputs,
    /// Whether texts that are too long are cut; `null`: as the server is set.
    pub truncate: Option<bool>,
    /// Log-odds instead of probabilities.
    pub raw_scores: Option<bool>,
    /// What all dialects take.
    #[serde(flatten)]
    pub shared: SharedFields,
}

/// A pair of texts, or a list of pairs.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub enum PredictInputs {
    /// One pair.
    Pair([String; 2]),
    /// Several.
    Batch(Vec<[String; 2]>),
}

impl FromFields for PredictRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            inputs: PredictInputs::read(fields.need(&["inputs"])?)?,
            truncate: fields.flag(&["truncate"])?,
            raw_scores: fields.flag(&["raw_scores"])?,
            shared: SharedFields::from_fields(fields)?,
        })
    }
}

impl PredictInputs {
    fn read(value: Value<'_>) -> Result<Self, Error> {
        match value.kind_of_first() {
            Some(Kind::List) => Ok(Self::Batch(value.each(PAIR, pair)?)),
            None if value.kind() == Kind::List => Err(value.empty()),
            _ => Ok(Self::Pair(pair(value)?)),
        }
    }
}

fn pair(value: Value<'_>) -> Result<[String; 2], Error> {
    let texts = value.each(PAIR, |item| item.text())?;
    <[String; 2]>::try_from(texts)
        .map_err(|texts| value.error(format!("must be {PAIR}. Given: {} texts", texts.len())))
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
    let (cost, ranks) = ranks(app, call, request).await?;
    answer(cost, ranks).await
}

/// The ranks that a request asks for.
pub(super) async fn ranks(
    app: &App,
    call: Call,
    request: RerankRequest,
) -> Result<(Cost, Vec<Rank>), Error> {
    let mut ranking = Ranking::new(request.query, request.texts, request.shared);
    ranking.truncation = Truncation::of_flag(request.truncate);
    ranking.top_n = request.top_n;
    ranking.as_probability &= !request.raw_scores.unwrap_or(false);
    ranking.return_documents = request.return_text.unwrap_or(false);
    let ranked = ranking.compute(app, call).await?;
    let rank = |RankedDocument { index, score, text }| Rank { index, text, score };
    Ok((ranked.cost, ranked.documents.into_iter().map(rank).collect()))
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
    call: Call,
    Body(request, _): Body<Tei, PredictRequest>,
) -> Answer<Tei> {
    let as_probability = request.shared.normalizes() && !request.raw_scores.unwrap_or(false);
    let (pairs, is_batch) = match request.inputs {
        PredictInputs::Pair(pair) => (vec![pair], false),
        PredictInputs::Batch(pairs) => (pairs, true),
    };
    let pair = |[query, document]: [String; 2]| Pair { query: query.into(), document };
    let pairs = pairs.into_iter().map(pair).collect();
    let truncation = Truncation::of_flag(request.truncate);
    let pairs = request.shared.pairs(&app, pairs, truncation)?;
    let reranker = app.reranker()?;
    let scores = app.inference.score(reranker, call, pairs).await?;
    let prediction = |log_odds: LogOdds| {
        let label = reranker.host.label().to_owned();
        vec![Prediction { score: log_odds.shown(as_probability), label }]
    };
    let mut predictions: Vec<_> = scores.results.into_iter().map(prediction).collect();
    let response = match is_batch {
        true => Predictions::Batch(predictions),
        false => Predictions::One(predictions.remove(0)),
    };
    answer(scores.cost, response).await
}
