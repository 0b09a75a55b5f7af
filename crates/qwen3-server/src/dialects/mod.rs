//! One module per dialect: its requests, its answers, its errors. What they
//! share is here: how a body is read, and the fields that all of them take.

pub mod cohere;
pub mod jina;
pub mod llama_cpp;
pub mod ollama;
pub mod openai;
pub mod tei;
pub mod vllm;

use crate::app::{App, Cut, SharedApp};
use crate::error::{Cause, Error};
use crate::inference::{
    Call, Compute, Pair, PairReading, Reading, Results, Score, TextOrIds, aside,
};
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, IntoResponseParts, Json, Response, ResponseParts};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::time::Duration;
use utoipa::ToSchema;

/// Bodies beyond are parsed where nobody waits for the thread: it takes longer than a hop.
const LONG_BODY_BYTES: usize = 64 << 10;

/// How a dialect tells errors.
pub trait Dialect: Send + Sync + 'static {
    /// Whether bodies must be marked as JSON.
    const WANTS_JSON_TYPE: bool = false;

    /// Status and body.
    fn error(error: &Error) -> Response;
}

/// An error in the words of a dialect.
pub struct Rejected<D>(Error, PhantomData<D>);

/// A body that was read as JSON.
pub struct Body<D, T>(pub T, PhantomData<D>);

/// A result in JSON with the headers that tell what it took, or an error.
pub type Answer<D> = Result<Response, Rejected<D>>;

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
pub struct Told {
    /// The label of `te_request_failure`.
    pub metric: &'static str,
    /// The message, where the fault is ours and it holds nothing of the client.
    pub fault: Option<String>,
}

impl<D> From<Error> for Rejected<D> {
    fn from(error: Error) -> Self {
        Self(error, PhantomData)
    }
}

impl<D: Dialect> IntoResponse for Rejected<D> {
    fn into_response(self) -> Response {
        let error = self.0;
        let mut response = D::error(&error);
        if let Some(after) = error.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, after.as_secs().into());
        }
        let is_failed = matches!(error, Error::Failed { .. });
        let is_ours =
            response.status().is_server_error() || (is_failed && error.cause() == Cause::Backend);
        let fault = is_ours.then(|| error.to_string());
        response.extensions_mut().insert(Told { metric: error.metric(), fault });
        response
    }
}

impl<D: Dialect, T: DeserializeOwned + Send + 'static> FromRequest<SharedApp> for Body<D, T> {
    type Rejection = Rejected<D>;

    async fn from_request(request: Request, app: &SharedApp) -> Result<Self, Self::Rejection> {
        if D::WANTS_JSON_TYPE && !is_json(request.headers()) {
            return Err(Error::NotJson.into());
        }
        Self::parse(read(request.into_body(), app).await?).await
    }
}

impl<D, T: DeserializeOwned + Send + 'static> Body<D, T> {
    /// A body whose bytes are here.
    ///
    /// # Errors
    /// If it is not JSON of this shape.
    pub async fn parse(bytes: Bytes) -> Result<Self, Rejected<D>> {
        let is_long = bytes.len() > LONG_BODY_BYTES;
        let parsed = aside(is_long, move || serde_json::from_slice(&bytes)).await?;
        let body = parsed.map_err(|reason| match reason.classify() {
            serde_json::error::Category::Data => Error::Shape { reason },
            _ => Error::Syntax { reason },
        })?;
        Ok(Self(body, PhantomData))
    }
}

/// The bytes of a body, within the server's limits of size and time.
///
/// # Errors
/// If there are too many, or they don't come.
pub async fn read(body: HttpBody, app: &App) -> Result<Bytes, Error> {
    let settings = &app.inference.settings;
    let limit = settings.payload_limit;
    let limited = Request::new(HttpBody::new(http_body_util::Limited::new(body, limit)));
    let bytes = tokio::time::timeout(settings.body_timeout, Bytes::from_request(limited, &()));
    match bytes.await {
        Err(_) => Err(Error::SlowBody),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(BytesRejection::FailedToBufferBody(reason)))
            if reason.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE =>
        {
            Err(Error::Payload { limit })
        }
        // The client broke off: nobody hears this.
        Ok(Err(_)) => Err(Error::SlowBody),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// A body, and the fields of its JSON object that have a value, none if it is no
/// object: for routes that several dialects share.
///
/// # Errors
/// As [`read`].
pub async fn fields(body: HttpBody, app: &App) -> Result<(Bytes, BTreeSet<String>), Error> {
    type Fields = BTreeMap<String, Option<serde::de::IgnoredAny>>;
    let bytes = read(body, app).await?;
    let (is_long, same) = (bytes.len() > LONG_BODY_BYTES, bytes.clone());
    let fields = move || serde_json::from_slice::<Fields>(&same).unwrap_or_default();
    let fields = aside(is_long, fields).await?.into_iter();
    let with_value = fields.filter(|(_, value)| value.is_some()).map(|(name, _)| name);
    Ok((bytes, with_value.collect()))
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

/// A text or token ids, or a list of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "inputs are a string, token ids, or a list of either")]
pub enum Inputs {
    /// One.
    One(InputItem),
    /// Several.
    Many(Vec<InputItem>),
}

/// A text, or token ids.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "an input is a string or a list of token ids")]
pub enum InputItem {
    /// Text.
    Text(String),
    /// Token ids.
    Ids(Vec<u32>),
}

impl Inputs {
    /// The texts of a request.
    ///
    /// # Errors
    /// If there is none, or one of them is empty; `field` is where they stand.
    pub fn into_list(self, field: &'static str) -> Result<Vec<TextOrIds>, Error> {
        let items = match self {
            Self::One(item) => vec![item],
            Self::Many(items) => items,
        };
        let item = |item| match item {
            InputItem::Text(text) if text.is_empty() => Err(Error::Empty { field }),
            InputItem::Ids(ids) if ids.is_empty() => Err(Error::Empty { field }),
            InputItem::Text(text) => Ok(TextOrIds::Text(text)),
            InputItem::Ids(ids) => Ok(TextOrIds::Ids(ids)),
        };
        match items.is_empty() {
            true => Err(Error::Empty { field }),
            false => items.into_iter().map(item).collect(),
        }
    }
}

/// A text or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "texts are a string or a list of strings")]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Texts {
    /// The texts of a request.
    pub fn into_list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

/// A side of a text.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub enum Side {
    /// Its start.
    #[serde(rename = "left", alias = "Left")]
    Left,
    /// Its end.
    #[serde(rename = "right", alias = "Right")]
    Right,
}

/// What every dialect takes beside its own fields, under the same names.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct Extension {
    /// What the query is for, in a sentence: of embeddings the text becomes
    /// `Instruct: {instruction}\nQuery:{text}`, of rerankers what makes a document relevant.
    #[serde(default, alias = "instruct")]
    pub instruction: Option<String>,
    /// One of the model's prompts, such as `query`; for embeddings.
    #[serde(default)]
    pub prompt_name: Option<String>,
    /// Which side of a text that is too long is dropped (also `truncation_direction`, `truncation_side`).
    #[serde(default, alias = "truncation_direction", alias = "truncation_side")]
    pub truncate_side: Option<Side>,
    /// Whether vectors are scaled to length 1, and whether scores are probabilities (default);
    /// otherwise vectors stay as they are, and scores are log-odds.
    #[serde(default)]
    pub normalize: Option<bool>,
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
        if self.query.is_empty() {
            return Err(Error::Empty { field: "query" });
        }
        let query: std::sync::Arc<str> = self.query.into();
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

/// A document of a rerank request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a document is a string or an object with the field `text`")]
pub enum Document {
    /// Its text.
    Text(String),
    /// Its text among other fields.
    Object {
        /// The text.
        text: String,
    },
}

impl Document {
    /// The text.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Object { text } => text,
        }
    }
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
