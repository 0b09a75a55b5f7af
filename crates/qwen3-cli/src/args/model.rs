//! Which model, and how it runs.

use super::dtypes::{OF_MODEL, listed};
use clap::Args;
use qwen3_engine::{
    DeviceChoice, DtypeChoice, Hooks, Kind, Options, Source, SpecialTokens, Truncate,
};
use std::path::PathBuf;

/// Where a model's files are.
#[derive(Args)]
pub struct SourceArgs {
    /// Hub id, folder, file.gguf, owner/name:Q8_0 for a GGUF file on the hub, converted file, or
    /// mini: a small embedding model inside this program
    /// [default: Qwen/Qwen3-Embedding-0.6B; rerank: Qwen/Qwen3-Reranker-0.6B]
    #[arg(short, long, value_name = "ID|PATH")]
    pub model: Option<String>,
    /// Branch, tag or commit on the hub [default: main]
    #[arg(long)]
    pub revision: Option<String>,
    /// The hub's cache [default: that of huggingface_hub]
    #[arg(long, value_name = "FOLDER")]
    pub cache_folder: Option<PathBuf>,
    /// What the model is: embedding, reranker or seq-cls [default: detected]
    #[arg(long)]
    pub kind: Option<Kind>,
    /// Print nothing but results and errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// How a model runs.
#[derive(Args)]
pub struct ModelArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// auto, cpu, ndarray, wgpu, vulkan, metal, dx12 or cuda, with an index as in `cuda:1`
    #[arg(long, default_value = "auto")]
    pub device: DeviceChoice,
    #[arg(
        long,
        default_value = "auto",
        help = format!("How weights are held in memory: {}", listed(&[], OF_MODEL))
    )]
    pub dtype: DtypeChoice,
    /// Longest text in tokens [default: what the model takes; rerank: 8192]
    #[arg(long, value_name = "TOKENS")]
    pub max_tokens: Option<usize>,
    /// What to do with longer texts: cut on the right, on the left, or stop with an error
    #[arg(long, value_name = "right|left|error", default_value = "right")]
    pub truncate: Truncate,
    /// Control tokens in texts: parse, literal, strip or reject [default: parse; rerank: literal]
    #[arg(long, value_name = "POLICY")]
    pub special_tokens: Option<SpecialTokens>,
    /// Tokens computed at one time; more needs more memory [default: by device]
    // Its first name stays accepted.
    #[arg(long, alias = "batch-tokens", value_name = "TOKENS")]
    pub max_batch_tokens: Option<usize>,
    /// Worker threads [default: the physical cores it may use]
    #[arg(long)]
    pub threads: Option<usize>,
    /// Print texts, tokens, seconds, tokens/s, load seconds and peak memory, as a line of JSON on
    /// standard error
    #[arg(long)]
    pub stats: bool,
}

impl SourceArgs {
    /// Where the model is; `default_model` is the command's own.
    pub fn source(&self, default_model: &str) -> Source {
        let model = self.model.as_deref().unwrap_or(default_model);
        let mut source = Source::new(model);
        source.revision.clone_from(&self.revision);
        source.cache_folder.clone_from(&self.cache_folder);
        source.kind = self.kind;
        source
    }
}

impl ModelArgs {
    /// The engine's options.
    pub fn options(&self, hooks: Hooks) -> Options {
        Options::default()
            .device(self.device)
            .dtype(self.dtype)
            .threads(self.threads)
            .max_batch_tokens(self.max_batch_tokens)
            .max_tokens(self.max_tokens)
            .truncate(self.truncate)
            .special_tokens(self.special_tokens)
            .hooks(hooks)
    }
}
