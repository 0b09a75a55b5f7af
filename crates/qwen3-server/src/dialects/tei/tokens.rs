//! `/tokenize` and `/decode`.

use super::{Tei, TeiError};
use crate::app::{App, SharedApp};
use crate::dialects::{Body, Fields, FromFields, Kind, Rejected, Texts, Value};
use crate::error::Error;
use axum::extract::State;
use axum::response::Json;
use qwen3_engine::{EmbedderText, Prompt, RerankerText, TextError, Token};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Texts to tokenize.
#[derive(Debug, ToSchema)]
pub struct TokenizeRequest {
    /// A text or several.
    pub inputs: Texts,
    /// Whether the end token is appended (default).
    pub add_special_tokens: Option<bool>,
    /// One of the model's prompts, to put in front.
    pub prompt_name: Option<String>,
}

impl FromFields for TokenizeRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            inputs: Texts::read_some(fields.need(&["inputs"])?)?,
            add_special_tokens: fields.flag(&["add_special_tokens"])?,
            prompt_name: fields.text(&["prompt_name"])?,
        })
    }
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
#[derive(Debug, ToSchema)]
pub struct DecodeRequest {
    /// Token ids, of one text or several.
    pub ids: Ids,
    /// Whether control tokens are left out (default).
    pub skip_special_tokens: Option<bool>,
}

/// Token ids of one text or several.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub enum Ids {
    /// One.
    One(Vec<u32>),
    /// Several.
    Many(Vec<Vec<u32>>),
}

impl FromFields for DecodeRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        let ids = fields.need(&["ids"])?;
        Ok(Self {
            ids: Ids::read(ids)?,
            skip_special_tokens: fields.flag(&["skip_special_tokens"])?,
        })
    }
}

impl Ids {
    fn read(value: Value<'_>) -> Result<Self, Error> {
        match value.kind_of_first() {
            Some(Kind::List) => Ok(Self::Many(value.each("a list", |item| item.ids())?)),
            None if value.kind() == Kind::List => Err(value.empty()),
            _ => Ok(Self::One(value.ids()?)),
        }
    }
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
    Body(request, _): Body<Tei, TokenizeRequest>,
) -> Result<Json<Vec<Vec<SimpleToken>>>, Rejected<Tei>> {
    let texts = request.inputs.into_list();
    let _permit = app.inference.admit("inputs", texts.len())?;
    let tokenizer = tokenizer(&app);
    let prompt = request.prompt_name.map_or(Prompt::Default, Prompt::Name);
    let end = request.add_special_tokens.unwrap_or(true);
    let tokens = app.inference.blocking(move || {
        let tokens = |(index, text): (usize, String)| {
            let tokens = tokenizer.tokens(&prompt, text, end);
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
    Body(request, _): Body<Tei, DecodeRequest>,
) -> Result<Json<Vec<String>>, Rejected<Tei>> {
    let lists = match request.ids {
        Ids::One(ids) => vec![ids],
        Ids::Many(lists) => lists,
    };
    let _permit = app.inference.admit("ids", lists.len())?;
    let tokenizer = tokenizer(&app);
    let skip_special = request.skip_special_tokens.unwrap_or(true);
    let texts = app.inference.blocking(move || {
        let text = |(index, ids): (usize, &Vec<u32>)| {
            let text = tokenizer.decode(ids, skip_special);
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
