//! `/score`.

use super::{Vllm, VllmError};
use crate::app::{SharedApp, unix_seconds};
use crate::dialects::{
    Answer, Body, Fields, FromFields, SharedFields, Texts, Truncation, Usage, answer, new_id,
};
use crate::error::Error;
use crate::inference::{Call, LogOdds, Pair};
use axum::extract::State;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Pairs to score: one or several texts on the left, each with one on the right.
#[derive(Debug, ToSchema)]
pub struct ScoreRequest {
    /// Any name: there is one reranker.
    #[allow(dead_code, reason = "clients must send it")]
    pub model: Option<String>,
    /// One, or as many as on the right (also `queries`, `data_1`).
    pub text_1: Texts,
    /// One or several (also `documents`, `items`, `data_2`).
    pub text_2: Texts,
    /// Cut pairs to this many tokens; -1: to as many as the model takes.
    pub truncate_prompt_tokens: Option<i64>,
    /// Probabilities instead of log-odds.
    pub use_activation: Option<bool>,
    /// What all dialects take.
    #[serde(flatten)]
    pub shared: SharedFields,
}

impl FromFields for ScoreRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        let (left, right) =
            (["text_1", "queries", "data_1"], ["text_2", "documents", "items", "data_2"]);
        Ok(Self {
            model: fields.text(&["model"])?,
            text_1: Texts::read_some(fields.need(&left)?)?,
            text_2: Texts::read_some(fields.need(&right)?)?,
            truncate_prompt_tokens: fields.whole(&["truncate_prompt_tokens"])?,
            use_activation: fields.flag(&["use_activation"])?,
            shared: SharedFields::from_fields(fields)?,
        })
    }
}

/// Scores of pairs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreResponse {
    /// Of the answer.
    pub id: String,
    /// `list`
    pub object: &'static str,
    /// Seconds since 1970.
    pub created: u64,
    /// The model's name.
    pub model: String,
    /// In the order of the pairs.
    pub data: Vec<ScoreObject>,
    /// Tokens.
    pub usage: Usage,
}

/// The score of a pair.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreObject {
    /// Index of the pair.
    pub index: usize,
    /// `score`
    pub object: &'static str,
    /// Probability that the right text answers the left one.
    pub score: f32,
}

/// Scores of pairs, in their order.
#[utoipa::path(
    post, path = "/score", tag = "vLLM",
    request_body = ScoreRequest,
    responses(
        (status = 200, description = "A score per pair", body = ScoreResponse),
        (status = "4XX", description = "The request is wrong, or too much waits", body = VllmError),
        (status = "5XX", description = "The device failed, or the engine is being rebuilt", body = VllmError),
    )
)]
pub async fn score(
    State(app): State<SharedApp>,
    call: Call,
    Body(request, _): Body<Vllm, ScoreRequest>,
) -> Answer<Vllm> {
    let as_probability = request.use_activation.unwrap_or(request.shared.normalizes());
    let pairs = pairs(request.text_1, request.text_2)?;
    let truncation = Truncation::of_prompt_tokens(request.truncate_prompt_tokens)?;
    let pairs = request.shared.pairs(&app, pairs, truncation)?;
    let reranker = app.reranker()?;
    let scores = app.inference.score(reranker, call, pairs).await?;
    let object = |(index, log_odds): (usize, LogOdds)| ScoreObject {
        index,
        object: "score",
        score: log_odds.shown(as_probability),
    };
    let response = ScoreResponse {
        id: new_id("score"),
        object: "list",
        created: unix_seconds(),
        model: reranker.name.clone(),
        data: scores.results.into_iter().enumerate().map(object).collect(),
        usage: scores.cost.into(),
    };
    answer(scores.cost, response).await
}

fn pairs(left: Texts, right: Texts) -> Result<Vec<Pair>, Error> {
    let (left, right) = (left.into_list(), right.into_list());
    let mut queries: Vec<Arc<str>> = left.into_iter().map(Into::into).collect();
    if let ([query], 2..) = (&queries[..], right.len()) {
        queries = vec![query.clone(); right.len()];
    }
    if queries.len() != right.len() {
        let (found, expected) = (queries.len(), right.len());
        let reason =
            format!("must be one text or as many as in `text_2`, {expected}. Given: {found}");
        return Err(Error::Invalid { field: "text_1", reason });
    }
    let pairs = queries.into_iter().zip(right);
    Ok(pairs.map(|(query, document)| Pair { query, document }).collect())
}
