//! `/tokenize` and `/decode`.

use super::{Tei, TeiError};
use crate::app::{App, Models, SharedApp};
use crate::dialects::{Answer, Body, Fields, FromFields, Kind, Texts, Value};
use crate::error::Error;
use crate::inference::{Call, Inference, aside};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use qwen3_engine::{EmbedderHost, Prompt, RerankerHost, TextError, Token};
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
    Embedder(Arc<EmbedderHost>),
    Reranker(Arc<RerankerHost>),
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
    call: Call,
    Body(request, _): Body<Tei, TokenizeRequest>,
) -> Answer<Tei> {
    let TokenizeRequest { inputs, add_special_tokens, prompt_name } = request;
    let texts = inputs.into_list();
    app.inference.admit(&call, "inputs", texts.len())?;
    let tokenizer = tokenizer(&app);
    let prompt = tokenizer.prompt(prompt_name)?;
    let wants_end = add_special_tokens.unwrap_or(true);
    let mut written = Written::new(&app.inference);
    let (mut texts, mut open) = (texts.into_iter().enumerate(), None::<(usize, String, usize)>);
    // A piece of a text at a time.
    let step = move || {
        let (index, text, from) = match open.take() {
            Some(open) => open,
            None => {
                let Some((index, text)) = texts.next() else { return Ok(None) };
                written.begin();
                (index, [prompt.as_str(), &text].concat(), 0)
            }
        };
        let tokens = tokenizer.next_tokens(&text, from);
        let (tokens, next) = tokens.map_err(|reason| Error::text(index, reason))?;
        let is_end = next >= text.len();
        let end = tokenizer.end_token().filter(|_| is_end && wants_end);
        for token in tokens.into_iter().chain(end) {
            written.push(&simple(token))?;
        }
        match is_end {
            true => written.end(),
            false => open = Some((index, text, next)),
        }
        Ok(Some(written.take()))
    };
    let parts = call.in_time(app.inference.in_turns(step)).await?;
    Ok(aside(true, move || list(parts)).await?)
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
    call: Call,
    Body(request, _): Body<Tei, DecodeRequest>,
) -> Answer<Tei> {
    let lists = match request.ids {
        Ids::One(ids) => vec![ids],
        Ids::Many(lists) => lists,
    };
    app.inference.admit(&call, "ids", lists.len())?;
    let tokenizer = tokenizer(&app);
    let skip_special = request.skip_special_tokens.unwrap_or(true);
    let mut written = Written::new(&app.inference);
    let mut lists = lists.into_iter().enumerate();
    let step = move || {
        let Some((index, ids)) = lists.next() else { return Ok(None) };
        let text = tokenizer.decode(&ids, skip_special);
        written.push(&text.map_err(|reason| Error::text(index, reason))?)?;
        Ok(Some(written.take()))
    };
    let parts = call.in_time(app.inference.in_turns(step)).await?;
    Ok(aside(true, move || list(parts)).await?)
}

/// The elements of a list in JSON, some of which are lists, within the limit of
/// an answer.
struct Written {
    inference: Inference,
    json: Vec<u8>,
    needs_comma: bool,
    /// Bytes of the parts before.
    before: usize,
}

impl Written {
    fn new(inference: &Inference) -> Self {
        Self { inference: inference.clone(), json: vec![], needs_comma: false, before: 0 }
    }

    /// Begins a list.
    fn begin(&mut self) {
        self.separate();
        self.json.push(b'[');
        self.needs_comma = false;
    }

    /// Ends it.
    fn end(&mut self) {
        self.json.push(b']');
        self.needs_comma = true;
    }

    fn push(&mut self, value: &impl Serialize) -> Result<(), Error> {
        self.separate();
        self.needs_comma = true;
        serde_json::to_writer(&mut self.json, value).map_err(|_| Error::Internal)?;
        self.inference.check_answer(self.before + self.json.len())
    }

    fn separate(&mut self) {
        if self.needs_comma {
            self.json.push(b',');
        }
    }

    /// What is written since the last time.
    fn take(&mut self) -> Vec<u8> {
        self.before += self.json.len();
        std::mem::take(&mut self.json)
    }
}

/// The answer, of which these are the parts within its brackets.
fn list(parts: Vec<Vec<u8>>) -> Response {
    let bytes: usize = parts.iter().map(Vec::len).sum();
    let mut json = Vec::with_capacity(bytes + 2);
    json.push(b'[');
    parts.into_iter().for_each(|part| json.extend(part));
    json.push(b']');
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}

fn tokenizer(app: &App) -> Tokenizer {
    match &app.models {
        Models::Embedder(model) | Models::Both(model, _) => Tokenizer::Embedder(model.host.clone()),
        Models::Reranker(model) => Tokenizer::Reranker(model.host.clone()),
    }
}

impl Tokenizer {
    /// What stands before each text; a reranker has no prompts.
    fn prompt(&self, name: Option<String>) -> Result<String, Error> {
        let prompt = name.map_or(Prompt::Default, Prompt::Name);
        match self {
            Self::Embedder(model) => {
                let prompt = model.prompt(&prompt).map_err(|reason| Error::Prompt { reason })?;
                Ok(prompt.into_owned())
            }
            Self::Reranker(_) => Ok(String::new()),
        }
    }

    fn next_tokens(&self, text: &str, from: usize) -> Result<(Vec<Token>, usize), TextError> {
        match self {
            Self::Embedder(model) => model.next_tokens(text, from),
            Self::Reranker(model) => model.next_tokens(text, from),
        }
    }

    fn end_token(&self) -> Option<Token> {
        match self {
            Self::Embedder(model) => Some(model.end_token()),
            Self::Reranker(_) => None,
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
