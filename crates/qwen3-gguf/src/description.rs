//! What the metadata says of a Qwen3 model: every size and constant of the network, and a clear
//! refusal of what is another network.

use crate::error::Error;
use crate::file::GgufFile;
use crate::metadata::Metadata;
use crate::names::CLASSIFIER;
use crate::value::Value;
use serde_json::json;

/// What a GGUF file is.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// `general.name`
    pub name: Option<String>,
    /// The network.
    pub config: ModelConfig,
    /// How the hidden states of a text become one; `None`: the file doesn't say.
    pub pooling: Option<Pooling>,
    /// What the model is for; `None`: the file doesn't say.
    pub purpose: Option<Purpose>,
}

/// The network, in the words of config.json.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Whether the four attention projections have a bias.
    pub attention_bias: bool,
    /// Width of one attention head.
    pub head_dim: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the MLP.
    pub intermediate_size: usize,
    /// Longest sequence in tokens.
    pub max_position_embeddings: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Decoder layers.
    pub num_hidden_layers: usize,
    /// Key and value heads.
    pub num_key_value_heads: usize,
    /// Added to the mean square before the root.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Whether the output head is the embedding table.
    pub tie_word_embeddings: bool,
    /// Rows of the embedding table.
    pub vocab_size: usize,
}

/// How the hidden states of a text become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// They don't: a language model.
    None,
    /// That of the last token.
    Last,
    /// That of the last token, of which a score is computed.
    Rank,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Vectors.
    Embedding,
    /// Scores by the answers "yes" and "no".
    Reranker,
    /// Scores by the one row of a classifier.
    SequenceClassification,
}

impl Description {
    /// Reads the metadata.
    ///
    /// # Errors
    /// If it lacks something, says it in another type, or asks for a network or a pooling that
    /// is not Qwen3's; if the file has no embedding table, or is a part of a model.
    pub fn of(file: &GgufFile) -> Result<Self, Error> {
        let metadata = file.metadata();
        if let Some(parts) = metadata.unsigned("split.count")?.filter(|parts| *parts > 1) {
            return Err(Error::Split { path: file.path().to_owned(), parts });
        }
        let architecture = "general.architecture";
        let found = metadata.needed(architecture, metadata.text(architecture)?)?;
        supported(metadata, architecture, found, found == "qwen3")?;
        let file_type = "general.type";
        let found = metadata.text(file_type)?.unwrap_or("model");
        supported(metadata, file_type, found, found == "model")?;
        check_network(metadata)?;
        let pooling = pooling(metadata)?;
        Ok(Self {
            name: metadata.text("general.name")?.map(str::to_owned),
            config: config(file)?,
            pooling,
            purpose: purpose(file, pooling)?,
        })
    }

    /// The config.json of the checkpoint that the file was made of, as far as a loader needs it.
    pub fn config_json(&self) -> Vec<u8> {
        let ModelConfig { hidden_size, rms_norm_eps, rope_theta, .. } = self.config;
        let is_classifier = self.purpose == Some(Purpose::SequenceClassification);
        let class = if is_classifier { "SequenceClassification" } else { "CausalLM" };
        let config = json!({
            "architectures": [format!("Qwen3For{class}")],
            "attention_bias": self.config.attention_bias,
            "head_dim": self.config.head_dim,
            "hidden_act": "silu",
            "hidden_size": hidden_size,
            "intermediate_size": self.config.intermediate_size,
            "max_position_embeddings": self.config.max_position_embeddings,
            "model_type": "qwen3",
            "num_attention_heads": self.config.num_attention_heads,
            "num_hidden_layers": self.config.num_hidden_layers,
            "num_key_value_heads": self.config.num_key_value_heads,
            "rms_norm_eps": rms_norm_eps,
            "rope_theta": rope_theta,
            "tie_word_embeddings": self.config.tie_word_embeddings,
            "vocab_size": self.config.vocab_size,
        });
        config.to_string().into_bytes()
    }
}

fn config(file: &GgufFile) -> Result<ModelConfig, Error> {
    let metadata = file.metadata();
    let size = |key: &str| size(metadata, &format!("qwen3.{key}"));
    let float = |key: &str| positive(metadata, &format!("qwen3.{key}"));
    let hidden_size = size("embedding_length")?;
    Ok(ModelConfig {
        attention_bias: file.tensor("blk.0.attn_q.bias").is_some(),
        head_dim: size("attention.key_length")?,
        hidden_size,
        intermediate_size: size("feed_forward_length")?,
        max_position_embeddings: size("context_length")?,
        num_attention_heads: size("attention.head_count")?,
        num_hidden_layers: size("block_count")?,
        num_key_value_heads: size("attention.head_count_kv")?,
        rms_norm_eps: float("attention.layer_norm_rms_epsilon")?,
        rope_theta: float("rope.freq_base")?,
        tie_word_embeddings: file.tensor("output.weight").is_none(),
        vocab_size: vocab_size(file, hidden_size)?,
    })
}

/// A number of things of which there is one at least. Products of two stay far from overflow.
fn size(metadata: Metadata, key: &str) -> Result<usize, Error> {
    let found = metadata.needed(key, metadata.unsigned(key)?)?;
    supported(metadata, key, found, (1..1 << 31).contains(&found))?;
    Ok(found as usize)
}

fn positive(metadata: Metadata, key: &str) -> Result<f64, Error> {
    let found = metadata.needed(key, metadata.float(key)?)?;
    supported(metadata, key, found, found.is_finite() && found > 0.0)?;
    Ok(found)
}

/// The table's rows: metadata has the tokenizer's size only, which may be less.
fn vocab_size(file: &GgufFile, hidden_size: usize) -> Result<usize, Error> {
    let (path, name) = (file.path().to_owned(), "token_embd.weight".to_owned());
    let Some(table) = file.tensor(&name) else { return Err(Error::MissingTensor { path, name }) };
    match table.shape[..] {
        [rows, width] if width == hidden_size => Ok(rows),
        _ => {
            let (expected, found) = (format!("[_, {hidden_size}]"), table.shape.clone());
            Err(Error::TensorShape { path, name, expected, found })
        }
    }
}

/// What is read of the network, and what says nothing of its numbers: rows of the table are
/// counted, and of a scaling that there isn't nobody needs to know from where it begins.
const READ: [&str; 14] = [
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "block_count",
    "classifier.output_labels",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "pooling_type",
    "rope.freq_base",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "vocab_size",
];

/// Refuses what would be computed otherwise: by every key of the architecture that isn't known,
/// unless its value says that there is no such thing. The keys are `LLM_KV_NAMES` of llama.cpp's
/// `llama-arch.cpp`; a factor without a type scales there, as `scale_linear` does.
fn check_network(metadata: Metadata) -> Result<(), Error> {
    let head_dim = size(metadata, "qwen3.attention.key_length")?;
    for key in metadata.keys() {
        let (Some(of_network), Some(value)) = (key.strip_prefix("qwen3."), metadata.get(key))
        else {
            continue;
        };
        let number = value.as_number();
        let has_no_effect = match of_network {
            of_network if READ.contains(&of_network) => true,
            "attention.value_length" | "rope.dimension_count" => {
                metadata.unsigned(key)? == Some(head_dim as u64)
            }
            "attention.causal" => value == Value::Bool(true),
            "rope.scaling.type" => value == Value::Text("none"),
            "rope.scaling.factor" | "rope.scale_linear" => [Some(0.0), Some(1.0)].contains(&number),
            "rope.scaling.attn_factor" => number == Some(1.0),
            _ => number == Some(0.0) || value == Value::Bool(false),
        };
        supported(metadata, key, value, has_no_effect)?;
    }
    Ok(())
}

fn pooling(metadata: Metadata) -> Result<Option<Pooling>, Error> {
    let key = "qwen3.pooling_type";
    // `enum llama_pooling_type`
    match metadata.unsigned(key)? {
        None => Ok(None),
        Some(0) => Ok(Some(Pooling::None)),
        Some(3) => Ok(Some(Pooling::Last)),
        Some(4) => Ok(Some(Pooling::Rank)),
        Some(1) => Err(unsupported(metadata, key, "mean")),
        Some(2) => Err(unsupported(metadata, key, "cls")),
        Some(other) => Err(unsupported(metadata, key, other)),
    }
}

/// A head says it, or the pooling. Conversions of rerankers without either say nothing.
fn purpose(file: &GgufFile, pooling: Option<Pooling>) -> Result<Option<Purpose>, Error> {
    let n_rows = file.tensor(CLASSIFIER).map(|tensor| match tensor.shape[..] {
        [rows, _] => rows,
        _ => 1,
    });
    match (n_rows, pooling) {
        (Some(1), _) => Ok(Some(Purpose::SequenceClassification)),
        (Some(_), _) | (None, Some(Pooling::Rank)) => {
            check_labels(file.metadata())?;
            Ok(Some(Purpose::Reranker))
        }
        (None, Some(Pooling::Last)) => Ok(Some(Purpose::Embedding)),
        (None, _) => Ok(None),
    }
}

/// The rows of a head have this order, or nothing says what they are.
fn check_labels(metadata: Metadata) -> Result<(), Error> {
    let key = "qwen3.classifier.output_labels";
    match metadata.texts(key)? {
        Some(labels) if labels != ["yes", "no"] => {
            Err(unsupported(metadata, key, labels.join(", ")))
        }
        _ => Ok(()),
    }
}

fn supported(metadata: Metadata, key: &str, value: impl ToString, is: bool) -> Result<(), Error> {
    if is { Ok(()) } else { Err(unsupported(metadata, key, value)) }
}

pub fn unsupported(metadata: Metadata, key: &str, value: impl ToString) -> Error {
    let (path, key) = (metadata.path.to_owned(), key.to_owned());
    Error::Unsupported { path, key, value: value.to_string() }
}
