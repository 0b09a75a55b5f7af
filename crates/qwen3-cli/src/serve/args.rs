//! The flags of `qwen3 serve`. Those of text-embeddings-inference keep their
//! names, defaults and environment variables; variables of ours begin with `QWEN3_`,
//! since a plain `DEVICE` or `MAX_TOKENS` may be somebody else's.

use super::api_key::ApiKeyParser;
#[cfg(unix)]
use super::values::mode;
use super::values::{OTHER_DTYPES, dtype, log_level, no_dense, time};
use crate::args::dtypes::{OF_MODEL, listed};
use clap::{Args, ValueEnum};
use qwen3_engine::{DeviceChoice, DtypeChoice, SpecialTokens};
use qwen3_server::{ApiKey, Origin};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub models: ModelsArgs,
    #[command(flatten)]
    pub devices: DevicesArgs,
    #[command(flatten)]
    pub limits: LimitsArgs,
    #[command(flatten)]
    pub listen: ListenArgs,
    #[command(flatten)]
    pub access: AccessArgs,
    #[command(flatten)]
    pub operation: OperationArgs,
}

/// What is served.
#[derive(Args)]
#[command(next_help_heading = "Models")]
pub struct ModelsArgs {
    /// Embedding model: hub id, folder, file.gguf, owner/name:Q8_0 for a GGUF file on the hub,
    /// converted file, or mini, which is inside this program
    /// [default without --reranker: Qwen/Qwen3-Embedding-0.6B]
    #[arg(short, long, visible_alias = "model-id", env = "MODEL_ID", value_name = "ID|PATH")]
    pub model: Option<String>,
    /// Reranker, alone or beside an embedding model
    #[arg(long, env = "QWEN3_RERANKER", value_name = "ID|PATH")]
    pub reranker: Option<String>,
    /// Branch, tag or commit of the embedding model on the hub [default: main]
    #[arg(long, env = "REVISION")]
    pub revision: Option<String>,
    /// Branch, tag or commit of the reranker on the hub [default: main]
    #[arg(long, env = "QWEN3_RERANKER_REVISION", value_name = "REVISION")]
    pub reranker_revision: Option<String>,
    /// What clients see as the embedding model's name [default: as --model]
    #[arg(long, env = "SERVED_MODEL_NAME", value_name = "NAME")]
    pub served_model_name: Option<String>,
    /// What clients see as the reranker's name [default: as --reranker]
    #[arg(long, env = "QWEN3_SERVED_RERANKER_NAME", value_name = "NAME")]
    pub served_reranker_name: Option<String>,
    /// The hub's cache [default: that of huggingface_hub]
    #[arg(
        long,
        visible_alias = "huggingface-hub-cache",
        env = "HUGGINGFACE_HUB_CACHE",
        value_name = "FOLDER"
    )]
    pub cache_folder: Option<PathBuf>,
    /// A token of the hub, for models that not everybody gets; others on this machine can read
    /// command lines, so the variable is better [default: that of huggingface_hub]
    #[arg(long, env = "HF_TOKEN", value_name = "TOKEN")]
    pub hf_token: Option<String>,
    /// The older name of --hf-token
    #[arg(long, env = "HF_API_TOKEN", value_name = "TOKEN", hide = true)]
    pub hf_api_token: Option<String>,
    /// The model's prompt for texts whose request names none
    #[arg(
        long,
        env = "DEFAULT_PROMPT_NAME",
        value_name = "NAME",
        conflicts_with = "default_prompt"
    )]
    pub default_prompt_name: Option<String>,
    /// Exactly this prompt for texts whose request names none
    #[arg(long, env = "DEFAULT_PROMPT", value_name = "TEXT")]
    pub default_prompt: Option<String>,
    /// How vectors are pooled: as the models were trained
    #[arg(long, value_enum, env = "POOLING", default_value = "last-token", hide_short_help = true)]
    pub pooling: Pooling,
    /// Of models with a dense module, which Qwen3 models don't have: refused
    #[arg(long, env = "DENSE_PATH", value_name = "PATH", hide = true, value_parser = no_dense)]
    pub dense_path: Option<String>,
    /// Control tokens in texts: parse, literal, strip or reject [default: parse; reranker: literal]
    #[arg(long, env = "QWEN3_SPECIAL_TOKENS", value_name = "POLICY", hide_short_help = true)]
    pub special_tokens: Option<SpecialTokens>,
}

/// Where it runs.
#[derive(Args)]
#[command(next_help_heading = "Devices")]
pub struct DevicesArgs {
    /// A replica on each of these, such as cuda:0,cuda:1; see `qwen3 devices`
    #[arg(long, env = "QWEN3_DEVICE", value_delimiter = ',', default_value = "auto")]
    pub device: Vec<DeviceChoice>,
    /// The same for the reranker [default: as --device]
    #[arg(long, env = "QWEN3_RERANKER_DEVICE", value_delimiter = ',', value_name = "DEVICE")]
    pub reranker_device: Vec<DeviceChoice>,
    #[arg(
        long,
        env = "DTYPE",
        default_value = "auto",
        value_parser = dtype,
        help = format!("How weights are held in memory: {}", listed(&OTHER_DTYPES.map(|row| row.0), OF_MODEL))
    )]
    pub dtype: DtypeChoice,
    /// Worker threads of each model [default: the physical cores it may use]
    #[arg(long, env = "QWEN3_THREADS")]
    pub threads: Option<usize>,
    /// Threads for texts to tokens [default: cores but one, 1 to 64]
    #[arg(long, env = "TOKENIZATION_WORKERS", value_name = "N", hide_short_help = true)]
    pub tokenization_workers: Option<NonZeroUsize>,
    /// Free the device after so long without work, such as 10m; the next text loads the model again
    #[arg(long, env = "QWEN3_IDLE_UNLOAD", value_name = "TIME", value_parser = time)]
    pub idle_unload: Option<Duration>,
    /// Don't compute a few tokens after loading
    #[arg(long, env = "QWEN3_NO_WARMUP", hide_short_help = true)]
    pub no_warmup: bool,
}

/// How much it takes.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitsArgs {
    /// Requests at the same time; beyond: 429
    #[arg(long, env = "MAX_CONCURRENT_REQUESTS", value_name = "N", default_value = "512")]
    pub max_concurrent_requests: NonZeroUsize,
    /// Texts of one request
    #[arg(long, env = "MAX_CLIENT_BATCH_SIZE", value_name = "N", default_value = "2048")]
    pub max_client_batch_size: NonZeroUsize,
    /// Tokens computed at one time [default: by device]
    #[arg(long, env = "MAX_BATCH_TOKENS", value_name = "TOKENS")]
    pub max_batch_tokens: Option<usize>,
    /// Texts computed at one time [default: as many as fit]
    #[arg(long, env = "MAX_BATCH_REQUESTS", value_name = "N", hide_short_help = true)]
    pub max_batch_requests: Option<NonZeroUsize>,
    /// Longest text in tokens [default: what the model takes; reranker: 8192]
    #[arg(long, env = "QWEN3_MAX_TOKENS", value_name = "TOKENS")]
    pub max_tokens: Option<usize>,
    /// Cut longer texts where a request doesn't say; `false`: refuse them
    #[arg(
        long,
        env = "AUTO_TRUNCATE",
        value_name = "true|false",
        default_value = "true",
        num_args = 0..=1,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub auto_truncate: bool,
    /// Texts that may wait or be computed; beyond: 429
    #[arg(long, env = "QWEN3_MAX_QUEUE_TEXTS", value_name = "N", default_value = "16384")]
    pub max_queue_texts: NonZeroUsize,
    /// Tokens that may wait; beyond: 429
    #[arg(long, env = "QWEN3_MAX_QUEUE_TOKENS", value_name = "TOKENS", default_value = "4194304")]
    pub max_queue_tokens: NonZeroUsize,
    /// Bytes of a request's body; beyond: 413
    #[arg(long, env = "PAYLOAD_LIMIT", value_name = "BYTES", default_value = "8000000")]
    pub payload_limit: usize,
    /// Bytes of the bodies of all requests at the same time; beyond: 429
    #[arg(
        long,
        env = "QWEN3_MAX_CONCURRENT_BYTES",
        value_name = "BYTES",
        default_value = "268435456"
    )]
    pub max_concurrent_bytes: usize,
    /// Bytes of an answer before it is JSON, 4 for each number; beyond: 422
    #[arg(long, env = "QWEN3_ANSWER_LIMIT", value_name = "BYTES", default_value = "67108864")]
    pub answer_limit: usize,
    /// How long a request may take, such as 30s [default: as long as it takes]; a client may ask
    /// for less with the header X-Request-Timeout (seconds)
    #[arg(long, env = "QWEN3_REQUEST_TIMEOUT", value_name = "TIME", value_parser = time)]
    pub request_timeout: Option<Duration>,
    /// Bytes of results that are kept for texts that come again; 0: none
    #[arg(long, env = "QWEN3_CACHE_BYTES", value_name = "BYTES", default_value = "0")]
    pub cache_bytes: usize,
}

/// Where it listens, and how connections are.
#[derive(Args)]
#[command(next_help_heading = "Network")]
pub struct ListenArgs {
    /// Address to listen on, or a name for all of its addresses; `::` is every one, of IPv6 and IPv4
    #[arg(long, env = "HOSTNAME", value_name = "HOST", default_value = "::")]
    pub hostname: String,
    /// Port to listen on; 0: any that is free
    #[arg(short, long, env = "PORT", default_value = "3000")]
    pub port: u16,
    /// A port for /metrics alone, beside the one of all routes [default: none]
    #[arg(long, env = "PROMETHEUS_PORT", value_name = "PORT")]
    pub prometheus_port: Option<u16>,
    /// Listen on a Unix socket instead
    #[cfg(unix)]
    #[arg(long, env = "UDS_PATH", value_name = "PATH")]
    pub uds_path: Option<PathBuf>,
    /// Who may connect to the Unix socket, such as 660 for a group [default: by umask, which often
    /// leaves its owner only]
    #[cfg(unix)]
    #[arg(long, env = "QWEN3_UDS_MODE", value_name = "MODE", value_parser = mode, requires = "uds_path", hide_short_help = true)]
    pub uds_mode: Option<u32>,
    /// Connections at the same time; a new one takes the place of the one that waited longest
    /// for its client [default: three quarters of the files that may be open, at most 10000]
    #[arg(long, env = "QWEN3_MAX_CONNECTIONS", value_name = "N", hide_short_help = true)]
    pub max_connections: Option<NonZeroUsize>,
    /// How long a connection is kept from one request to the next; longer than clients and load
    /// balancers keep theirs
    #[arg(
        long,
        env = "QWEN3_KEEP_ALIVE",
        value_name = "TIME",
        default_value = "620s",
        value_parser = time,
        hide_short_help = true
    )]
    pub keep_alive: Duration,
    /// Certificate for TLS, in PEM, with those above it
    #[arg(long, env = "TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, env = "TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// Who may ask.
#[derive(Args)]
#[command(next_help_heading = "Network")]
pub struct AccessArgs {
    /// A key that clients must send as `Authorization: Bearer KEY`; several: comma between
    #[arg(
        long,
        env = "API_KEY",
        value_name = "KEY",
        value_delimiter = ',',
        value_parser = ApiKeyParser
    )]
    pub api_key: Vec<ApiKey>,
    /// A file with such keys, one a line (`#` begins a comment): other users of this machine
    /// can't see them
    #[arg(long, env = "API_KEY_FILE", value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Want a key for /, /health, /ping and /metrics too
    #[arg(long, env = "PROTECT_MONITORING", hide_short_help = true)]
    pub protect_monitoring: bool,
    /// Web pages of these origins may ask; comma between [default: all]
    #[arg(long, env = "CORS_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_allow_origin: Vec<Origin>,
}

/// How it is run.
#[derive(Args)]
#[command(next_help_heading = "Operation")]
pub struct OperationArgs {
    /// How long requests may take to finish after Ctrl-C or SIGTERM
    #[arg(long, env = "QWEN3_SHUTDOWN_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = time)]
    pub shutdown_timeout: Duration,
    /// What the log holds: error, warn, info, debug, trace, or by module
    #[arg(
        long,
        env = "LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info",
        value_parser = log_level
    )]
    pub log_level: String,
    /// Write the log as JSON
    #[arg(long, env = "JSON_OUTPUT")]
    pub json_output: bool,
    /// Send spans of requests to an OpenTelemetry collector over gRPC, such as
    /// http://localhost:4317; in programs that were built with `--features otlp`
    #[arg(long, env = "OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// What the collector sees as this service's name
    #[arg(
        long,
        env = "OTLP_SERVICE_NAME",
        value_name = "NAME",
        default_value = "text-embeddings-inference.server",
        hide_short_help = true
    )]
    pub otlp_service_name: String,
    /// Without effect: lines of the log have no spans in them anyway
    #[arg(long, env = "DISABLE_SPANS", hide_short_help = true)]
    pub disable_spans: bool,
}

/// How vectors are pooled.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Pooling {
    /// The last token's row
    LastToken,
}
