//! The fields that every dialect takes beside its own, and what they say.

use super::fields::{Fields, FromFields, Value};
use crate::app::App;
use crate::error::Error;
use crate::inference::{InputItem, Pair, PairsToScore, TextsToEmbed};
use qwen3_engine::{Limit, Prompt, Truncate};
use utoipa::ToSchema;

/// What every dialect takes beside its own fields, under the same names.
#[derive(Debug, Default, ToSchema)]
#[schema(as = Extension)]
pub struct SharedFields {
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

/// A side of a text.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Side {
    /// Its start.
    Left,
    /// Its end.
    Right,
}

/// Whether, and how far, a request wants long texts cut; dialects have fields of their own for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Truncation {
    /// Whether to cut at all; `None`: as the server is set.
    pub truncate: Option<bool>,
    /// Fewer tokens than the model takes.
    pub max_tokens: Option<usize>,
}

impl FromFields for SharedFields {
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

impl Side {
    fn read(value: Value<'_>) -> Result<Self, Error> {
        match value.bare().to_ascii_lowercase().as_str() {
            "left" => Ok(Self::Left),
            "right" => Ok(Self::Right),
            _ => Err(value.expected("`left` or `right`")),
        }
    }
}

impl Truncation {
    /// As `truncate` says.
    pub fn of_flag(truncate: Option<bool>) -> Self {
        Self { truncate, max_tokens: None }
    }

    /// As vLLM's `truncate_prompt_tokens` says.
    ///
    /// # Errors
    /// If it is no number of tokens.
    pub fn of_prompt_tokens(asked: Option<i64>) -> Result<Self, Error> {
        let max_tokens = match asked {
            None => return Ok(Self::default()),
            Some(-1) => None,
            Some(tokens @ 1..) => usize::try_from(tokens).ok(),
            Some(tokens) => {
                let reason = format!("must be -1 or at least 1. Given: {tokens}");
                return Err(Error::Invalid { field: "truncate_prompt_tokens", reason });
            }
        };
        Ok(Self { truncate: Some(true), max_tokens })
    }
}

impl SharedFields {
    /// Whether vectors are scaled, and scores are probabilities.
    pub fn normalizes(&self) -> bool {
        self.normalize.unwrap_or(true)
    }

    /// How the embedding model reads the texts of one request.
    ///
    /// # Errors
    /// If a prompt is asked for in two ways, or there is no embedding model.
    pub fn texts(
        self,
        app: &App,
        inputs: Vec<InputItem>,
        truncation: Truncation,
    ) -> Result<TextsToEmbed, Error> {
        let side = self.truncate_side;
        let prompt = match (self.prompt_name, self.instruction) {
            (None, None) => app.inference.settings.default_prompt.clone(),
            (Some(name), None) => Prompt::Name(name),
            (None, Some(task)) => Prompt::Instruction(task),
            (Some(_), Some(_)) => {
                let reason = "and `prompt_name` exclude each other; send one".to_owned();
                return Err(Error::Invalid { field: "instruction", reason });
            }
        };
        let limit = limit(app, app.embedder()?.host.limit(), side, truncation);
        Ok(TextsToEmbed { inputs, prompt, limit })
    }

    /// How the reranker reads the pairs of one request.
    ///
    /// # Errors
    /// If there is no reranker, or a prompt is asked for.
    pub fn pairs(
        self,
        app: &App,
        pairs: Vec<Pair>,
        truncation: Truncation,
    ) -> Result<PairsToScore, Error> {
        if self.prompt_name.is_some() {
            let reason = "is for embeddings; send `instruction` to a reranker".to_owned();
            return Err(Error::Invalid { field: "prompt_name", reason });
        }
        let limit = limit(app, app.reranker()?.host.limit(), self.truncate_side, truncation);
        let instruction = self.instruction;
        Ok(PairsToScore { pairs, instruction, limit, max_document_tokens: None })
    }
}

/// A model's limit for one request.
fn limit(app: &App, of_model: Limit, side: Option<Side>, truncation: Truncation) -> Limit {
    let Truncation { truncate, max_tokens } = truncation;
    let truncate = match truncate.unwrap_or(app.inference.settings.auto_truncate) {
        true if matches!(side, Some(Side::Left)) => Truncate::Left,
        true => Truncate::Right,
        false => Truncate::Error,
    };
    Limit { max_tokens: max_tokens.unwrap_or(usize::MAX).min(of_model.max_tokens), truncate }
}

/// How many numbers of a vector are asked for; less than one is 0, which no vector has.
pub fn dimensions(fields: &Fields<'_>) -> Result<Option<usize>, Error> {
    let asked = fields.whole(&["dimensions"])?;
    Ok(asked.map(|asked| usize::try_from(asked).unwrap_or(0)))
}
