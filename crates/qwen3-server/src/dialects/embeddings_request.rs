//! OpenAI's request for vectors, which vLLM takes on a path of its own too.

use super::{Fields, FromFields, Inputs, SharedFields, Truncation, Value, dimensions};
use crate::app::App;
use crate::error::Error;
use crate::inference::{Call, Results, VectorOptions};
use base64::Engine;
use serde::Serialize;
use utoipa::ToSchema;

/// Texts to turn into vectors.
#[derive(Debug, ToSchema)]
pub struct EmbeddingsRequest {
    /// A text, token ids, or a list of them.
    pub input: Inputs,
    /// Any name: there is one embedding model.
    #[allow(dead_code, reason = "clients must send it")]
    pub model: Option<String>,
    /// How vectors are written.
    pub encoding_format: Option<EncodingFormat>,
    /// Keep this many of the first dimensions.
    pub dimensions: Option<usize>,
    /// Cut texts to this many tokens; -1: to as many as the model takes (vLLM).
    pub truncate_prompt_tokens: Option<i64>,
    /// What all dialects take.
    #[serde(flatten)]
    pub shared: SharedFields,
}

impl FromFields for EmbeddingsRequest {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Error> {
        let format = fields.find(&["encoding_format"])?;
        Ok(Self {
            input: Inputs::read(fields.need(&["input"])?)?,
            model: fields.text(&["model"])?,
            encoding_format: format.map(EncodingFormat::read).transpose()?,
            dimensions: dimensions(fields)?,
            truncate_prompt_tokens: fields.whole(&["truncate_prompt_tokens"])?,
            shared: SharedFields::from_fields(fields)?,
        })
    }
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum EncodingFormat {
    /// A list of numbers.
    #[default]
    Float,
    /// Little-endian float32 in base64.
    Base64,
}

/// A vector as it is written.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Numbers {
    /// Number by number.
    Float(Vec<f32>),
    /// Little-endian float32 in base64.
    Base64(String),
}

impl EmbeddingsRequest {
    /// The vectors that it asks for.
    pub async fn vectors(self, app: &App, call: Call) -> Result<Results<Vec<f32>>, Error> {
        let Self { input, dimensions, shared, .. } = self;
        let options = VectorOptions { dimensions, normalize: shared.normalizes() };
        let truncation = Truncation::of_prompt_tokens(self.truncate_prompt_tokens)?;
        let texts = shared.texts(app, input.into_list(), truncation)?;
        app.inference.embed(app.embedder()?, call, texts, options).await
    }
}

impl EncodingFormat {
    fn read(value: Value<'_>) -> Result<Self, Error> {
        match value.bare().to_ascii_lowercase().as_str() {
            "float" => Ok(Self::Float),
            "base64" => Ok(Self::Base64),
            _ => Err(value.expected("`float` or `base64`")),
        }
    }

    /// The vector in this format.
    pub fn write(self, vector: Vec<f32>) -> Numbers {
        match self {
            Self::Float => Numbers::Float(vector),
            Self::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                Numbers::Base64(base64::engine::general_purpose::STANDARD.encode(bytes))
            }
        }
    }
}
