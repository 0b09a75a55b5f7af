//! `/tokenize` and `/decode`.

use super::{Tei, TeiError};
use crate::app::{App, SharedApp};
use crate::dialects::{Body, Rejected, Texts};
use crate::error::Error;
use crate::inference::Call;
use axum::Extension as Layered;
use axum::extract::State;
use axum::response::Json;
use qwen3_engine::{EmbedderText, Prompt, RerankerText, TextError, Token};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Texts to tokenize.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TokenizeRequest {
    /// A text or several.
    pub inputs: Texts,
    /// Whether the end token is appended.
    #[serde(default = "yes")]
    pub add_special_tokens: bool,
    /// One of the model's prompts, to put in front.
    #[serde(default)]
    pub prompt_name: Option<String>,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimpleToken {
    /// Its id.
    pub id: u32,
    /// What it stands for.
    pub text: String,
    /// Whether it is a control token.
    pub special: bool,
    /// Where it begins in the text, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    /// Where it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<usize>,
}

/// Tokens to decode.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DecodeRequest {
    /// Token ids, of one text or several.
    pub ids: Ids,
    /// Whether control tokens are left out.
    #[serde(default = "yes")]
    pub skip_special_tokens: bool,
}

/// Token ids of one text or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "ids are a list of token ids, or a list of such lists")]
pub enum Ids {
    /// One.
    One(Vec<u32>),
    /// Several.
    Many(Vec<Vec<u32>>),
}

/// Whichever model there is; embeddings first.
enum Tokenizer {
    Embedder(Arc<EmbedderText>),
    Reranker(Arc<RerankerText>),
}

/// Tokens of texts with their places.
#[utoipa::path(
    post, path = "/tokenize", tag = "text-embeddings-inference",
    request_body = TokenizeRequest,
    responses(
        (status = 200, description = "The tokens of each text", body = Vec<Vec<SimpleToken>>),
        (status = "4XX", description = "As of `/embed`", body = TeiError),
    )
)]
pub async fn tokenize(
    State(app): State<SharedApp>,
    Layered(call): Layered<Call>,
    Body(request, _): Body<Tei, TokenizeRequest>,
) -> Result<Json<Vec<Vec<SimpleToken>>>, Rejected<Tei>> {
    let texts = request.inputs.into_list();
    app.inference.admit(&call, "inputs", texts.len())?;
    let tokenizer = tokenizer(&app);
    let prompt = request.prompt_name.map_or(Prompt::Default, Prompt::Name);
    let tokens = app.inference.blocking(move || {
        let tokens = |(index, text): (usize, String)| {
            let tokens = tokenizer.tokens(&prompt, text, request.add_special_tokens);
            let tokens = tokens.map_err(|reason| Error::text(index, reason))?;
            Ok(tokens.into_iter().map(simple).collect())
        };
        texts.into_iter().enumerate().map(tokens).collect()
    });
    Ok(Json(tokens.await?))
}

/// Texts of tokens.
#[utoipa::path(
    post, path = "/decode", tag = "text-embeddings-inference",
    request_body = DecodeRequest,
    responses(
        (status = 200, description = "The texts", body = Vec<String>),
        (status = "4XX", description = "As of `/embed`", body = TeiError),
    )
)]
pub async fn decode(
    State(app): State<SharedApp>,
    Layered(call): Layered<Call>,
    Body(request, _): Body<Tei, DecodeRequest>,
) -> Result<Json<Vec<String>>, Rejected<Tei>> {
    let lists = match request.ids {
        Ids::One(ids) => vec![ids],
        Ids::Many(lists) => lists,
    };
    app.inference.admit(&call, "ids", lists.len())?;
    let tokenizer = tokenizer(&app);
    let texts = app.inference.blocking(move || {
        let text = |(index, ids): (usize, &Vec<u32>)| {
            let text = tokenizer.decode(ids, request.skip_special_tokens);
            text.map_err(|reason| Error::text(index, reason))
        };
        lists.iter().enumerate().map(text).collect()
    });
    Ok(Json(texts.await?))
}

fn tokenizer(app: &App) -> Tokenizer {
    match (&app.embedder, &app.reranker) {
        (Some(model), _) => Tokenizer::Embedder(model.text.clone()),
        (None, Some(model)) => Tokenizer::Reranker(model.text.clone()),
        (None, None) => unreachable!("a server has a model"),
    }
}

impl Tokenizer {
    fn tokens(&self, prompt: &Prompt, text: String, end: bool) -> Result<Vec<Token>, TextError> {
        match self {
            Self::Embedder(model) => {
                let text = format!("{}{text}", model.prompt(prompt)?);
                model.tokens(&text, end)
            }
            Self::Reranker(model) => model.tokens(&text),
        }
    }

    fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TextError> {
        match self {
            Self::Embedder(model) => model.decode(ids, skip_special),
            Self::Reranker(model) => model.decode(ids, skip_special),
        }
    }
}

fn simple(token: Token) -> SimpleToken {
    let Token { id, text, special, bytes } = token;
    // As there, a control token has no place.
    let bytes = bytes.filter(|_| !special);
    let (start, stop) = (bytes.as_ref().map(|bytes| bytes.start), bytes.map(|bytes| bytes.end));
    SimpleToken { id, text, special, start, stop }
}

fn yes() -> bool {
    true
}
