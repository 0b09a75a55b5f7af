//! What the metadata says of a Qwen3 model: every size and constant of the network, and a clear
//! refusal of what is another network.

use crate::error::Error;
use crate::file::GgufFile;
use crate::metadata::Metadata;
use crate::names::CLASSIFIER;
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

/// Refuses what would be computed otherwise.
fn check_network(metadata: Metadata) -> Result<(), Error> {
    let scaling = "qwen3.rope.scaling.type";
    let found = metadata.text(scaling)?.unwrap_or("none");
    supported(metadata, scaling, found, found == "none")?;
    let causal = "qwen3.attention.causal";
    supported(metadata, causal, false, metadata.bool(causal)? != Some(false))?;
    let window = "qwen3.attention.sliding_window";
    let found = metadata.unsigned(window)?.unwrap_or(0);
    supported(metadata, window, found, found == 0)?;
    let head_dim = metadata.unsigned("qwen3.attention.key_length")?;
    for key in ["qwen3.attention.value_length", "qwen3.rope.dimension_count"] {
        if let Some(found) = metadata.unsigned(key)? {
            supported(metadata, key, found, head_dim.is_none_or(|head_dim| head_dim == found))?;
        }
    }
    Ok(())
}

fn pooling(metadata: Metadata) -> Result<Option<Pooling>, Error> {
    let key = "qwen3.pooling_type";
    // `enum llama_pooling_type`; 1 is the mean, 2 the first token.
    match metadata.unsigned(key)? {
        None => Ok(None),
        Some(0) => Ok(Some(Pooling::None)),
        Some(3) => Ok(Some(Pooling::Last)),
        Some(4) => Ok(Some(Pooling::Rank)),
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
