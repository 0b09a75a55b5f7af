//! One module per dialect: its requests, its answers, its errors. What they
//! share is here: how a body is read, and the fields that all of them take.
//! Requests are read by their `from_fields`; what they say to `serde` is for the
//! OpenAPI document.

mod json;
mod survey;
mod fields;
mod inputs;
pub mod cohere;
pub mod jina;
pub mod llama_cpp;
pub mod ollama;
pub mod openai;
pub mod tei;
pub mod vllm;

use crate::app::{App, Cut, SharedApp};
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::inference::{Call, Compute, Held, Pair, PairReading, Reading, Results, Score, aside};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, IntoResponseParts, Json, Response, ResponseParts};
pub use fields::{Fields, FromFields, Kind, Value};
pub use inputs::{Document, Documents, Inputs, Side, Texts};
pub use json::JsonText;
use serde::Serialize;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// How a dialect tells errors.
pub trait Dialect: Send + Sync + 'static {
    /// Status and body.
    fn error(error: &Error) -> Response;
}

/// An error in the words of a dialect.
pub struct DialectError<D>(Error, PhantomData<D>);

/// A body that was read as JSON; it counts among those that the server holds
/// until the request has ended.
pub struct Body<D, T>(pub T, #[allow(dead_code, reason = "held")] (Held, PhantomData<D>));

/// A result in JSON with the headers that tell what it took, or an error.
pub type Answer<D> = Result<Response, DialectError<D>>;

/// The answer to a request.
///
/// # Errors
/// None but a bug.
pub async fn answer<D>(compute: Compute, body: impl Serialize + Send + 'static) -> Answer<D> {
    let json = aside(compute.is_long(), move || Json(body).into_response()).await?;
    Ok((compute, json).into_response())
}

/// What a middleware wants to know of an error, for logs and metrics.
#[derive(Clone, Debug)]
pub struct LoggedError {
    /// The label of `te_request_failure`.
    pub metric: &'static str,
    /// The message, where the fault is ours and it holds nothing of the client.
    pub fault: Option<String>,
}

impl<D> From<Error> for DialectError<D> {
    fn from(error: Error) -> Self {
        Self(error, PhantomData)
    }
}

impl<D: Dialect> IntoResponse for DialectError<D> {
    fn into_response(self) -> Response {
        let error = self.0;
        let mut response = D::error(&error);
        if let Some(after) = error.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, after.as_secs().into());
        }
        let is_ours = response.status().is_server_error() || error.kind() == ErrorKind::Device;
        let fault = is_ours.then(|| error.to_string());
        response.extensions_mut().insert(LoggedError { metric: error.metric(), fault });
        response
    }
}

impl<D: Dialect, T: FromFields + Send + 'static> FromRequest<SharedApp> for Body<D, T> {
    type Rejection = DialectError<D>;

    async fn from_request(request: Request, app: &SharedApp) -> Result<Self, Self::Rejection> {
        Self::parse(JsonText::read(request, app).await?).await
    }
}

impl<D, T: FromFields + Send + 'static> Body<D, T> {
    /// A body whose text is here.
    ///
    /// # Errors
    /// If it is not JSON of this shape.
    pub async fn parse(json: JsonText) -> Result<Self, DialectError<D>> {
        let (body, held) = json.parse().await?;
        Ok(Self(body, (held, PhantomData)))
    }
}

impl IntoResponseParts for Compute {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let mut set = |name, value: u64| drop(parts.headers_mut().insert(name, value.into()));
        set("x-compute-time", ms(self.times.total));
        set("x-compute-characters", self.characters as u64);
        set("x-compute-tokens", self.tokens as u64);
        set("x-total-time", ms(self.times.total));
        set("x-tokenization-time", ms(self.times.tokenization));
        set("x-queue-time", ms(self.times.queue));
        set("x-inference-time", ms(self.times.inference));
        set("x-truncated-inputs", self.truncated as u64);
        let kind = HeaderValue::from_static("gpu+optimized");
        parts.headers_mut().insert("x-compute-type", kind);
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

/// What every dialect takes beside its own fields, under the same names.
#[derive(Debug, Default, ToSchema)]
pub struct Extension {
    /// What the query is for, in a sentence: of embeddings the text becomes
    /// `Instruct: {instruction}\nQuery:{text}`, of rerankers what makes a document relevant
    /// (also `instruct`).
    pub instruction: Option<String>,
    /// One of the model's prompts, such as `query`; for embeddings.
    pub prompt_name: Option<String>,
    /// Which side of a text that is too long is dropped (also `truncation_direction`, `truncation_side`).
    pub truncate_side: Option<Side>,
    /// Whether vectors are scaled to length 1, and whether scores are probabilities (default);
    /// otherwise vectors stay as they are, and scores are log-odds.
    pub normalize: Option<bool>,
}

impl FromFields for Extension {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        let sides = ["truncate_side", "truncation_direction", "truncation_side"];
        Ok(Self {
            instruction: fields.text(&["instruction", "instruct"])?,
            prompt_name: fields.text(&["prompt_name"])?,
            truncate_side: fields.find(&sides)?.map(Side::read).transpose()?,
            normalize: fields.flag(&["normalize"])?,
        })
    }
}

impl Extension {
    /// How long texts are cut.
    pub fn cut(&self, truncate: Option<bool>, max_tokens: Option<usize>) -> Cut {
        Cut { truncate, left: matches!(self.truncate_side, Some(Side::Left)), max_tokens }
    }

    /// How texts are read.
    ///
    /// # Errors
    /// As [`App::reading`].
    pub fn reading(self, app: &App, cut: Cut) -> Result<Reading, Error> {
        app.reading(self.prompt_name, self.instruction, cut)
    }
}

/// How many numbers of a vector are asked for; less than one is 0, which no vector has.
fn dimensions(fields: &Fields<'_>) -> Result<Option<usize>, Error> {
    let asked = fields.whole(&["dimensions"])?;
    Ok(asked.map(|asked| usize::try_from(asked).unwrap_or(0)))
}

/// How many results are asked for, at least `minimum`; 0 is all of them, as vLLM has it.
fn top_n(fields: &Fields<'_>, minimum: i64) -> Result<Option<usize>, Error> {
    Ok(fields.count(&["top_n", "top_k"], minimum)?.filter(|top_n| *top_n > 0))
}

/// What is ranked, in every dialect.
pub struct Ranking {
    /// The query.
    pub query: String,
    /// The documents.
    pub documents: Vec<String>,
    /// The fields that all dialects have.
    pub extension: Extension,
    /// Whether, and how far, pairs are cut.
    pub truncate: Option<bool>,
    /// Tokens of a pair.
    pub max_tokens: Option<usize>,
    /// Tokens of a document.
    pub max_document_tokens: Option<usize>,
}

impl Ranking {
    /// With nothing special about it.
    pub fn new(query: String, documents: Vec<String>, extension: Extension) -> Self {
        let (truncate, max_tokens, max_document_tokens) = (None, None, None);
        Self { query, documents, extension, truncate, max_tokens, max_document_tokens }
    }

    /// The documents' scores, in their order.
    ///
    /// # Errors
    /// If there is no reranker, a field is wrong, or the scores can't be computed.
    pub async fn score(self, app: &App, call: Call) -> Result<Results<Score>, Error> {
        let query: Arc<str> = self.query.into();
        let mut reading = pair_reading(app, self.extension, self.truncate, self.max_tokens)?;
        reading.max_document_tokens = self.max_document_tokens;
        let pair = |document| Pair { query: query.clone(), document };
        let pairs = self.documents.into_iter().map(pair).collect();
        app.inference.score(app.reranker()?, call, pairs, reading).await
    }
}

/// How the reranker reads the pairs of one request.
///
/// # Errors
/// If there is no reranker, or a prompt is asked for.
pub fn pair_reading(
    app: &App,
    extension: Extension,
    truncate: Option<bool>,
    max_tokens: Option<usize>,
) -> Result<PairReading, Error> {
    if extension.prompt_name.is_some() {
        let reason = "is for embeddings; send `instruction` to a reranker".to_owned();
        return Err(Error::Invalid { field: "prompt_name", reason });
    }
    let cut = extension.cut(truncate, max_tokens);
    let limit = app.limit(app.reranker()?.text.limit(), cut);
    Ok(PairReading { instruction: extension.instruction, limit, max_document_tokens: None })
}

/// A document as answers repeat it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentText {
    /// The text.
    pub text: String,
}

/// Tokens, as OpenAI counts them.
#[derive(Debug, Serialize, ToSchema)]
pub struct Usage {
    /// Of the inputs.
    pub prompt_tokens: usize,
    /// The same.
    pub total_tokens: usize,
}

impl From<Compute> for Usage {
    fn from(compute: Compute) -> Self {
        Self { prompt_tokens: compute.tokens, total_tokens: compute.tokens }
    }
}
