//! `/rerank` with `documents`.

use super::Vllm;
use crate::app::App;
use crate::dialects::{
    Answer, Body, DocumentText, Documents, Fields, FromFields, RankedDocument, Ranking,
    SharedFields, Truncation, Usage, answer, new_id, top_n,
};
use crate::error::Error;
use crate::inference::Call;
use serde::Serialize;
use utoipa::ToSchema;

/// Documents to order by how well they answer a query.
#[derive(Debug, ToSchema)]
pub struct VllmRerankRequest {
    /// Any name: there is one reranker.
    #[allow(dead_code, reason = "clients must send it")]
    pub model: Option<String>,
    /// The query.
    pub query: String,
    /// The documents.
    #[serde(flatten)]
    pub documents: Documents,
    /// Only the best so many; 0: all (also `top_k`).
    pub top_n: Option<usize>,
    /// Documents are cut to this many tokens (Cohere's field).
    pub max_tokens_per_doc: Option<usize>,
    /// Whether the answer repeats the documents; by default it does (Jina's field).
    pub return_documents: Option<bool>,
    /// Cut pairs to this many tokens; -1: to as many as the model takes.
    pub truncate_prompt_tokens: Option<i64>,
    /// Probabilities instead of log-odds.
    pub use_activation: Option<bool>,
    /// What all dialects take.
    #[serde(flatten)]
    pub shared: SharedFields,
}

impl FromFields for VllmRerankRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            model: fields.text(&["model"])?,
            query: fields.need(&["query"])?.text()?,
            documents: Documents::from_fields(fields)?,
            top_n: top_n(fields, 0)?,
            max_tokens_per_doc: fields.count(&["max_tokens_per_doc"], 1)?,
            return_documents: fields.flag(&["return_documents"])?,
            truncate_prompt_tokens: fields.whole(&["truncate_prompt_tokens"])?,
            use_activation: fields.flag(&["use_activation"])?,
            shared: SharedFields::from_fields(fields)?,
        })
    }
}

/// Documents, best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct VllmRerankResponse {
    /// Of the answer.
    pub id: String,
    /// The model's name.
    pub model: String,
    /// Tokens.
    pub usage: Usage,
    /// Best first.
    pub results: Vec<VllmResult>,
}

/// A document's place.
#[derive(Debug, Serialize, ToSchema)]
pub struct VllmResult {
    /// Index among the documents.
    pub index: usize,
    /// The document, unless it isn't wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentText>,
    /// Probability that it answers the query.
    pub relevance_score: f32,
}

/// Documents by how well they answer a query.
pub async fn rerank(
    app: &App,
    call: Call,
    Body(request, _): Body<Vllm, VllmRerankRequest>,
) -> Answer<Vllm> {
    let model = app.reranker()?.name.clone();
    let mut ranking = Ranking::new(request.query, request.documents.into_texts(), request.shared);
    ranking.truncation = Truncation::of_prompt_tokens(request.truncate_prompt_tokens)?;
    ranking.max_document_tokens = request.max_tokens_per_doc;
    ranking.top_n = request.top_n;
    ranking.as_probability = request.use_activation.unwrap_or(ranking.as_probability);
    ranking.return_documents = request.return_documents.unwrap_or(true);
    let ranked = ranking.compute(app, call).await?;
    let result = |document: RankedDocument| VllmResult {
        index: document.index,
        document: document.text.map(|text| DocumentText { text }),
        relevance_score: document.score,
    };
    let response = VllmRerankResponse {
        id: new_id("rerank"),
        model,
        usage: ranked.cost.into(),
        results: ranked.documents.into_iter().map(result).collect(),
    };
    answer(ranked.cost, response).await
}
