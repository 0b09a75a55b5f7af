//! What a model is, and how its numbers are held, by their names.

use crate::names::named_by;
use qwen3::Dtype;

/// Precision of the weights in memory. Whatever it is, the residual stream,
/// norms, softmax and pooling are computed in float32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DtypeChoice {
    /// The checkpoint's own where the device can hold it, else the other
    /// 16-bit format where every weight fits it, else float32.
    #[default]
    Auto,
    /// Four bytes a number, on every device.
    F32,
    /// Two bytes, with float32's range: what published checkpoints have.
    Bf16,
    /// Two bytes, with more digits than bfloat16 and values up to 65,504.
    F16,
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

const DTYPES: [(DtypeChoice, &str); 4] = [
    (DtypeChoice::Auto, "auto"),
    (DtypeChoice::F32, "f32"),
    (DtypeChoice::Bf16, "bf16"),
    (DtypeChoice::F16, "f16"),
];
named_by!(DtypeChoice, DTYPES);

impl DtypeChoice {
    /// The dtype that was chosen; for `Auto` the one that is `stored`.
    pub(crate) fn or(self, stored: Dtype) -> Dtype {
        match self {
            Self::Auto => stored,
            Self::F32 => Dtype::F32,
            Self::Bf16 => Dtype::Bf16,
            Self::F16 => Dtype::F16,
        }
    }
}

impl From<Dtype> for DtypeChoice {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::F32,
            Dtype::Bf16 => Self::Bf16,
            Dtype::F16 => Self::F16,
        }
    }
}
