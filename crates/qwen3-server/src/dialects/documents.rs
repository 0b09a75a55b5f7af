//! What is ranked, in the forms that clients write it in.

use super::Texts;
use super::fields::{Fields, FromFields, Kind, Value};
use crate::error::Error;
use utoipa::ToSchema;

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
    #[allow(dead_code, reason = "it was read with the documents")]
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
