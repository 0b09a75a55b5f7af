//! What callers may choose.

use crate::device::DeviceChoice;
use crate::progress::Hooks;
use qwen3_text::{SpecialTokens, Truncate};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// How a model is loaded. `Options::default()` is right for most.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where it runs.
    pub device: DeviceChoice,
    /// Precision of the weights in memory.
    pub dtype: DtypeChoice,
    /// Worker threads; `None`: one per physical core this process may use.
    pub threads: Option<usize>,
    /// Tokens computed at one time; `None`: chosen by device. A longer text is
    /// a batch of its own. More is faster on a GPU, and needs more memory.
    pub max_batch_tokens: Option<usize>,
    /// Tokens of one text, with prompt and end token; `None`: as many as the
    /// model takes (rerankers: 8,192, as in the model card).
    pub max_tokens: Option<usize>,
    /// What happens to longer texts.
    pub truncate: Truncate,
    /// How control tokens in user text are treated; `None`: parsed for
    /// embeddings, as every reference does, and literal for rerankers, so that
    /// no document can answer for the model.
    pub special_tokens: Option<SpecialTokens>,
    /// What the checkpoint is; `None`: detected.
    pub kind: Option<Kind>,
    /// Branch, tag or commit on the hub; `None`: `main`.
    pub revision: Option<String>,
    /// The hub's cache; `None`: that of `huggingface_hub`
    /// (`HF_HUB_CACHE`, `HF_HOME/hub`, or `~/.cache/huggingface/hub`).
    pub cache_folder: Option<PathBuf>,
    /// For models that the hub gives to some only; `None`: `HF_TOKEN`, or that
    /// of `huggingface_hub`.
    pub token: Option<HubToken>,
    /// Progress of downloading and loading, and their cancelling.
    pub hooks: Hooks,
}

/// A token of the hub. It is not shown, neither is it in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct HubToken(String);

impl HubToken {
    /// The token itself.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl From<String> for HubToken {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl std::fmt::Debug for HubToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HubToken(hidden)")
    }
}

/// Precision of the weights in memory. Whatever it is, the residual stream,
/// norms, softmax and pooling are computed in float32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtypeChoice {
    /// The checkpoint's own where the device can hold it, else the other
    /// 16-bit format where every weight fits it, else float32.
    #[default]
    Auto,
    /// Float32.
    F32,
    /// Bfloat16.
    Bf16,
    /// Float16.
    F16,
}

/// What a checkpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Qwen3-Embedding.
    Embedding,
    /// Qwen3-Reranker with its language-model head.
    Reranker,
    /// A reranker converted to `Qwen3ForSequenceClassification`.
    SequenceClassification,
}

/// How the matrices of a portable file are laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// `[out, in]`, row after row, as the checkpoint has them; every backend
    /// computes from it without a copy.
    #[default]
    Rows,
}

const LAYOUTS: [(Layout, &str); 1] = [(Layout::Rows, "rows")];
const KINDS: [(Kind, &str); 3] = [
    (Kind::Embedding, "embedding"),
    (Kind::Reranker, "reranker"),
    (Kind::SequenceClassification, "seq-cls"),
];
const DTYPES: [(DtypeChoice, &str); 4] = [
    (DtypeChoice::Auto, "auto"),
    (DtypeChoice::F32, "f32"),
    (DtypeChoice::Bf16, "bf16"),
    (DtypeChoice::F16, "f16"),
];

impl DtypeChoice {
    /// The dtype that was chosen; for `Auto` the one that is `stored`.
    pub(crate) fn or(self, stored: qwen3::Dtype) -> qwen3::Dtype {
        match self {
            Self::Auto => stored,
            Self::F32 => qwen3::Dtype::F32,
            Self::Bf16 => qwen3::Dtype::Bf16,
            Self::F16 => qwen3::Dtype::F16,
        }
    }
}

impl From<qwen3::Dtype> for DtypeChoice {
    fn from(dtype: qwen3::Dtype) -> Self {
        match dtype {
            qwen3::Dtype::F32 => Self::F32,
            qwen3::Dtype::Bf16 => Self::Bf16,
            qwen3::Dtype::F16 => Self::F16,
        }
    }
}

impl fmt::Display for DtypeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&DTYPES, *self))
    }
}

impl FromStr for DtypeChoice {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        named(&DTYPES, name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&KINDS, *self))
    }
}

impl FromStr for Kind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        named(&KINDS, name)
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(name_of(&LAYOUTS, *self))
    }
}

impl FromStr for Layout {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        named(&LAYOUTS, name)
    }
}

/// A name that stands for nothing.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` is none of {known}")]
pub struct UnknownName {
    /// The name.
    pub name: String,
    /// The names there are.
    pub known: String,
}

pub(crate) fn name_of<T: PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    let row = table.iter().find(|(known, _)| *known == value);
    row.expect("the table has a row for every variant").1
}

pub(crate) fn named<T: Copy>(table: &[(T, &str)], name: &str) -> Result<T, UnknownName> {
    table.iter().find(|(_, known)| *known == name).map(|(value, _)| *value).ok_or_else(|| {
        let known: Vec<&str> = table.iter().map(|(_, known)| *known).collect();
        UnknownName { name: name.to_owned(), known: known.join(", ") }
    })
}
