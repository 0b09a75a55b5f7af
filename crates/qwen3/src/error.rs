//! Everything that can be wrong with a checkpoint or a batch.

use qwen3_dtypes::Dtype;
use std::path::PathBuf;

/// What a library said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error of the model crate.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum Error {
    /// A file can't be read.
    #[error("can't read `{path}`")]
    Read { path: PathBuf, source: std::io::Error },

    /// Something that is no file stands where one should.
    #[error("`{path}` is {what}, not a regular file; put the model's file there")]
    NotRegular { path: PathBuf, what: &'static str },

    /// A file that is larger than any of its name.
    #[error(
        "`{path}` is larger than {} MiB, as no model's file of this name is; download it again", .max_bytes >> 20
    )]
    TooLarge { path: PathBuf, max_bytes: u64 },

    /// Another kind of file in the place of a model's.
    #[error("`{path}` is {what}; {way_out}")]
    Foreign { path: PathBuf, what: &'static str, way_out: &'static str },

    /// `config.json` is not JSON, or lacks a key.
    #[error("`{path}` is not the config.json of a Qwen3 model; is the download complete?")]
    ConfigSyntax { path: PathBuf, source: Cause },

    /// `config.json` lacks a key that has two spellings.
    #[error("config.json has no `{key}`, neither at the top nor in `rope_parameters`")]
    ConfigKey { key: &'static str },

    /// `config.json` asks for something that this crate does not compute.
    #[error(
        "config.json has `{key}`: `{value}`, which is not supported; this engine runs Qwen3 embedding and reranking models as published"
    )]
    Unsupported { key: String, value: String },

    /// A weights file is not a valid safetensors file.
    #[error("`{path}` is not a valid safetensors file; is the download complete?")]
    Safetensors { path: PathBuf, source: Cause },

    /// `model.safetensors.index.json` is not such a file.
    #[error("`{path}` is not an index of safetensors files; is the download complete?")]
    IndexSyntax { path: PathBuf, source: Cause },

    /// The index names a file outside of the folder.
    #[error("`{path}` names the file `{file}`; only names of files beside it are allowed")]
    IndexPath { path: PathBuf, file: String },

    /// The folder has no weights.
    #[error(
        "`{folder}` has neither `model.safetensors` nor `model.safetensors.index.json`; download the model with its weights"
    )]
    NoWeights { folder: PathBuf },

    /// A tensor that the model needs is not in the file.
    #[error("tensor `{name}` is missing{}; does config.json belong to these weights?", instead_of(.instead))]
    MissingTensor { name: String, instead: Option<String> },

    /// Two tensors of the checkpoint for one of the network.
    #[error(
        "the checkpoint has `{name}` twice: as `{}` in `{}` and as `{}` in `{}`; remove the one that isn't meant, or save the model again",
        .first.0, .first.1.display(), .second.0, .second.1.display()
    )]
    TensorTwice { name: String, first: (String, PathBuf), second: (String, PathBuf) },

    /// The index of the shards names another file than the one that has a tensor.
    #[error(
        "tensor `{name}` is in `{found}`, but the index says that it is in `{expected}`; download the model again, or save it again"
    )]
    TensorElsewhere { name: String, expected: String, found: String },

    /// A part of an adapter is among the weights.
    #[error(
        "tensor `{name}` belongs to an adapter (LoRA or the like), which is not applied here; merge it into the model with `merge_and_unload()` of PEFT and save that"
    )]
    AdapterTensor { name: String },

    /// A head with which no score can be computed.
    #[error(
        "tensor `{name}` holds NaN or infinity; download the model again, or check its training"
    )]
    NotFinite { name: String },

    /// Tensors in the file that the model has no place for.
    #[error(
        "{count} tensors of the checkpoint have no place in the model, the first is `{name}`; does config.json belong to these weights?"
    )]
    UnusedTensors { name: String, count: usize },

    /// A tensor has another shape than config.json says.
    #[error(
        "tensor `{name}` has shape {found:?}, expected {expected:?}; does config.json belong to these weights?"
    )]
    TensorShape { name: String, expected: Vec<usize>, found: Vec<usize> },

    /// A tensor is stored as something else than a floating-point number.
    #[error(
        "tensor `{name}` has dtype {dtype}; of safetensors only F32, F16 and BF16 are supported: use the checkpoint before quantisation, or a GGUF file"
    )]
    TensorDtype { name: String, dtype: String },

    /// A value does not fit the dtype that was asked for.
    #[error(
        "tensor `{name}` holds {value}, which {} can't represent; load it with dtype {}",
        name_of(*.dtype), if *.dtype == Dtype::F16 { "bf16 or f32" } else { "f32" }
    )]
    Float16Range { name: String, value: f32, dtype: Dtype },

    /// A GGUF file that can't be read.
    #[error(transparent)]
    Gguf(#[from] qwen3_gguf::Error),

    /// A batch of nothing.
    #[error("a batch needs at least one sequence")]
    EmptyBatch,

    /// A sequence of nothing.
    #[error("sequence {sequence} of the batch has no tokens; even an empty text has its end token")]
    EmptySequence { sequence: usize },

    /// A sequence beyond the model's positions.
    #[error(
        "sequence {sequence} of the batch has {tokens} tokens, the model takes {max}; truncate it"
    )]
    SequenceTooLong { sequence: usize, tokens: usize, max: usize },

    /// An id outside of the vocabulary.
    #[error(
        "token id {id} is outside of the vocabulary of {vocab_size}; does the tokenizer belong to this model?"
    )]
    TokenId { id: u32, vocab_size: usize },

    /// The caller stopped it.
    #[error("stopped")]
    Stopped,

    /// The device or its driver failed.
    #[error("the device failed: {message}")]
    Device { message: String },
}

fn instead_of(found: &Option<String>) -> String {
    found.as_ref().map(|found| format!(", but there is `{found}`")).unwrap_or_default()
}

fn name_of(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "float32",
        Dtype::F16 => "float16",
        Dtype::Bf16 => "bfloat16",
        blocks => blocks.name(),
    }
}
