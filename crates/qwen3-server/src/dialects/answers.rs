//! What answers of several dialects have in common.

use super::DialectError;
use crate::inference::{Cost, aside};
use axum::http::HeaderValue;
use axum::response::{IntoResponse, IntoResponseParts, Json, Response, ResponseParts};
use serde::Serialize;
use std::convert::Infallible;
use std::time::Duration;
use utoipa::ToSchema;

/// A result in JSON with the headers that tell what it cost, or an error.
pub type Answer<D> = Result<Response, DialectError<D>>;

/// The answer to a request.
pub async fn answer<D>(cost: Cost, body: impl Serialize + Send + 'static) -> Answer<D> {
    let json = aside(cost.is_long(), move || Json(body).into_response()).await?;
    Ok((cost, json).into_response())
}

impl IntoResponseParts for Cost {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
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
        Ok(parts)
    }
}

/// The id of an answer that is of this kind.
pub fn new_id(kind: &str) -> String {
    format!("{kind}-{}", uuid::Uuid::new_v4().simple())
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

impl From<Cost> for Usage {
    fn from(cost: Cost) -> Self {
        Self { prompt_tokens: cost.tokens, total_tokens: cost.tokens }
    }
}
