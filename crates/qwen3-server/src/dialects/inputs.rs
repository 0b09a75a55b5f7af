//! What is computed, in the forms that clients write it in: texts and token ids.

use super::fields::{Kind, Value};
use crate::error::Error;
use crate::inference::InputItem;
use std::sync::Once;
use utoipa::ToSchema;

/// A text or token ids, or a list of them.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub enum Inputs {
    /// One.
    One(InputItem),
    /// Several.
    Many(Vec<InputItem>),
}

impl Inputs {
    /// The inputs of a request.
    pub fn read(value: Value<'_>) -> Result<Self, Error> {
        let item = |value: Value<'_>| match value.kind() {
            Kind::Text => Ok(InputItem::Text(value.text()?)),
            Kind::List => Ok(InputItem::Ids(value.ids()?)),
            _ => Err(value.expected("a text or a list of token ids")),
        };
        match (value.kind(), value.kind_of_first()) {
            (Kind::List, None) => Err(value.empty()),
            (Kind::Text, _) | (_, Some(Kind::Number)) => Ok(Self::One(item(value)?)),
            _ => {
                let expected = "a text, token ids, or a list of either";
                Ok(Self::Many(value.each(expected, item)?))
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(items) => items.len(),
        }
    }

    /// The inputs of a request. Empty ones are computed too: what comes of the end
    /// token alone, as sentence-transformers does.
    pub fn into_list(self) -> Vec<InputItem> {
        let items = match self {
            Self::One(item) => vec![item],
            Self::Many(items) => items,
        };
        if items.iter().any(|item| matches!(item, InputItem::Ids(_))) {
            warn_of_ids();
        }
        items
    }
}

/// Ids of another vocabulary are ids of this one, of other words.
fn warn_of_ids() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::warn!(
            "a client sends token ids, which are taken as this model's; where it is LangChain's \
             OpenAIEmbeddings they are of another tokenizer, and the vectors useless, until \
             check_embedding_ctx_length=False is set there"
        );
    });
}

/// A text or several.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Texts {
    /// The texts of a request.
    pub fn read(value: Value<'_>) -> Result<Self, Error> {
        match value.kind() {
            Kind::Text => Ok(Self::One(value.text()?)),
            _ => Ok(Self::Many(value.each("a text or a list of texts", |item| item.text())?)),
        }
    }

    /// The same, where there must be one.
    pub fn read_some(value: Value<'_>) -> Result<Self, Error> {
        match (value.kind(), value.kind_of_first()) {
            (Kind::List, None) => Err(value.empty()),
            _ => Self::read(value),
        }
    }

    /// The texts of a request.
    pub fn into_list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}
