//! What a model is, and how its numbers are held, by their names.

use crate::names::{UnknownName, named_by};
use qwen3::Dtype;
use std::fmt;
use std::str::FromStr;

/// How the weights are held in memory. Whatever it is, the residual stream,
/// norms, softmax and pooling are computed in float32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DtypeChoice {
    /// The checkpoint's own where the device can hold it, else the other
    /// 16-bit format where every weight fits it, else float32. Blocks, as of
    /// GGUF files, stay as they are on every device.
    #[default]
    Auto,
    /// This one. Into blocks the matrices are brought as they are loaded, which
    /// takes seconds for each billion of weights; [`crate::convert()`] does it once.
    Named(Dtype),
}

/// What a checkpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Texts to vectors, as Qwen3-Embedding.
    Embedding,
    /// Qwen3-Reranker with its language-model head.
    Reranker,
    /// A reranker converted to `Qwen3ForSequenceClassification`.
    SequenceClassification,
}

impl Kind {
    /// The kind of model in words: `an embedding model` or `a reranker`.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Embedding => "an embedding model",
            Self::Reranker | Self::SequenceClassification => "a reranker",
        }
    }
}

const KINDS: [(Kind, &str); 3] = [
    (Kind::Embedding, "embedding"),
    (Kind::Reranker, "reranker"),
    (Kind::SequenceClassification, "seq-cls"),
];
named_by!(Kind, KINDS);

const AUTO: &str = "auto";

impl fmt::Display for DtypeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => AUTO,
            Self::Named(dtype) => dtype.name(),
        })
    }
}

impl FromStr for DtypeChoice {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::NAMED.into_iter().find(|dtype| dtype.name().eq_ignore_ascii_case(name));
        match found {
            Some(dtype) => Ok(Self::Named(dtype)),
            None if name == AUTO => Ok(Self::Auto),
            None => {
                let names = std::iter::once(AUTO).chain(Self::NAMED.map(Dtype::name));
                let known = names.collect::<Vec<_>>().join(", ");
                Err(UnknownName { name: name.to_owned(), known })
            }
        }
    }
}

impl DtypeChoice {
    /// What weights can be brought into, in the order in which it is listed.
    pub const NAMED: [Dtype; 5] = [Dtype::F32, Dtype::Bf16, Dtype::F16, Dtype::Q8_0, Dtype::Q4_0];

    /// The dtype that was chosen; for `Auto` the one that is `stored`.
    pub fn or(self, stored: Dtype) -> Dtype {
        match self {
            Self::Auto => stored,
            Self::Named(dtype) => dtype,
        }
    }
}

impl From<Dtype> for DtypeChoice {
    fn from(dtype: Dtype) -> Self {
        Self::Named(dtype)
    }
}
