//! What is computed, in the forms that clients write it in: texts, token ids, documents.

use super::fields::{Fields, FromFields, Kind, Value};
use crate::error::Error;
use crate::inference::TextOrIds;
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

/// A text, or token ids.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub enum InputItem {
    /// Text.
    Text(String),
    /// Token ids.
    Ids(Vec<u32>),
}

impl Inputs {
    /// The inputs of a request.
    ///
    /// # Errors
    /// If there is none, or they are something else.
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
    pub fn into_list(self) -> Vec<TextOrIds> {
        let items = match self {
            Self::One(item) => vec![item],
            Self::Many(items) => items,
        };
        if items.iter().any(|item| matches!(item, InputItem::Ids(_))) {
            warn_of_ids();
        }
        let item = |item| match item {
            InputItem::Text(text) => TextOrIds::Text(text),
            InputItem::Ids(ids) => TextOrIds::Ids(ids),
        };
        items.into_iter().map(item).collect()
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
    ///
    /// # Errors
    /// If they are something else.
    pub fn read(value: Value<'_>) -> Result<Self, Error> {
        match value.kind() {
            Kind::Text => Ok(Self::One(value.text()?)),
            _ => Ok(Self::Many(value.each("a text or a list of texts", |item| item.text())?)),
        }
    }

    /// The same, where there must be one.
    ///
    /// # Errors
    /// If there is none, or they are something else.
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

/// A document of a rerank request.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub enum Document {
    /// Its text.
    Text(String),
    /// Its text among other fields; `rank_fields` names others to read.
    Object {
        /// The text.
        text: String,
    },
}

/// Documents of a rerank request.
#[derive(Debug, ToSchema)]
pub struct Documents {
    /// Texts, or objects with the field `text`.
    pub documents: Vec<Document>,
    /// Of objects: the fields to read instead of `text`, in this order.
    pub rank_fields: Option<Vec<String>>,
}

impl FromFields for Documents {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        let rank_fields = fields.find(&["rank_fields"])?.map(Texts::read).transpose()?;
        let rank_fields = rank_fields.map(Texts::into_list);
        let named = rank_fields.as_deref().unwrap_or_default();
        let documents = Document::list(fields.need(&["documents"])?, named)?;
        Ok(Self { documents, rank_fields })
    }
}

impl Documents {
    /// Their texts.
    pub fn into_texts(self) -> Vec<String> {
        self.documents.into_iter().map(Document::into_text).collect()
    }
}

impl Document {
    /// The documents of a request. Of an object the fields with these names are
    /// read, a line each, or `text` if there are no names.
    ///
    /// # Errors
    /// If there is no document, or one is something else.
    pub fn list(value: Value<'_>, named: &[String]) -> Result<Vec<Self>, Error> {
        let document = |value: Value<'_>| match value.kind() {
            Kind::Object => Ok(Self::Object { text: text_of_object(value, named)? }),
            Kind::Text => Ok(Self::Text(value.text()?)),
            _ => Err(value.expected("a text or an object with the field `text`")),
        };
        match (value.kind(), value.kind_of_first()) {
            (Kind::Text, _) => Ok(vec![Self::Text(value.text()?)]),
            (Kind::List, None) => Err(value.empty()),
            _ => value.each("a list of documents", document),
        }
    }

    /// Its text.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Object { text } => text,
        }
    }
}

fn text_of_object(document: Value<'_>, named: &[String]) -> Result<String, Error> {
    let fields = document.object()?;
    if named.is_empty() {
        return fields.text(&["text"])?.ok_or_else(|| {
            let reason = "has no field `text`; name the fields to read in `rank_fields`";
            document.error(reason.to_owned())
        });
    }
    let mut lines = vec![];
    for name in named {
        let Some(value) = fields.find(&[name.as_str()])? else { continue };
        lines.push(match value.kind() {
            Kind::Number | Kind::Bool => value.bare().to_owned(),
            _ => value.text()?,
        });
    }
    match lines.is_empty() {
        true => Err(document.error("has none of the fields that `rank_fields` names".to_owned())),
        false => Ok(lines.join("\n")),
    }
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

impl Side {
    /// The side of a request.
    ///
    /// # Errors
    /// If it is something else.
    pub fn read(value: Value<'_>) -> Result<Self, Error> {
        match value.bare().to_ascii_lowercase().as_str() {
            "left" => Ok(Self::Left),
            "right" => Ok(Self::Right),
            _ => Err(value.expected("`left` or `right`")),
        }
    }
}
