//! What is trained, and how its numbers are held.

use qwen3::{Dtype, MatmulStrategy};
use std::fmt;
use std::str::FromStr;

/// What is trained, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which weights change.
    pub method: Method,
    /// What linear layers compute in: [`Dtype::F32`] or [`Dtype::Bf16`]. Trained
    /// weights themselves are float32 always, and rounded for each pass.
    pub dtype: Dtype,
    /// How the device multiplies in that dtype.
    pub strategy: MatmulStrategy,
    /// The largest tensor that the device takes. A table beyond it is not trained.
    pub max_tensor_bytes: u64,
    /// What follows the network.
    pub head: Head,
}

/// Which weights change.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// All of them.
    Full,
    /// Low-rank adapters of linear layers (Hu et al. 2021, arXiv:2106.09685):
    /// `weight + alpha / rank · B · A`, with `A` `[rank, in]` random and `B`
    /// `[out, rank]` zero at first. The rest stays as it is.
    Lora {
        /// Rows of `A`.
        rank: usize,
        /// Numerator of the factor.
        alpha: f64,
        /// Which linear layers have one.
        targets: Vec<Projection>,
        /// Of `A`'s random numbers.
        seed: u64,
    },
}

/// A linear layer of each decoder layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "they are the checkpoint's own names")]
pub enum Projection {
    Q,
    K,
    V,
    O,
    Gate,
    Up,
    Down,
}

impl Projection {
    /// In the order of execution.
    pub const ALL: [Self; 7] =
        [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];

    /// Its name in the checkpoint, such as `q_proj`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Q => "q_proj",
            Self::K => "k_proj",
            Self::V => "v_proj",
            Self::O => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
        }
    }

    /// Whether `tensor` is the weight of such a layer.
    pub(crate) fn is_weight(self, tensor: &str) -> bool {
        tensor.strip_suffix(".weight").is_some_and(|path| path.ends_with(self.name()))
    }
}

impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Projection {
    type Err = UnknownProjection;

    fn from_str(name: &str) -> Result<Self, UnknownProjection> {
        let found = Self::ALL.into_iter().find(|projection| projection.name() == name);
        found.ok_or_else(|| UnknownProjection { name: name.to_owned() })
    }
}

/// A name that no linear layer has.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no linear layer `{name}`; there are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj"
)]
pub struct UnknownProjection {
    name: String,
}

/// What follows the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Nothing: rows are embeddings.
    Embedding,
    /// The output head's rows for these tokens. Without `no` the score is the logit of `yes`.
    YesNo {
        /// Id of `yes`.
        yes: u32,
        /// Id of `no`.
        no: Option<u32>,
    },
    /// `score.weight`.
    SequenceClassification,
}
