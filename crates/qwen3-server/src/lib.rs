//! Embeddings and reranking over HTTP, in the dialects of
//! text-embeddings-inference, OpenAI, Cohere, Jina, vLLM, llama.cpp and Ollama
//! on one port.
//!
//! Data flows one way:
//!
//! ```text
//!  router ──▶ dialects::* ──▶ Inference ──▶ Scheduler ──▶ qwen3_engine::Session
//!  keys, CORS   wire types     tokens        batches        rows
//! ```
//!
//! [`router`] makes an axum router of an [`App`], which holds one or two models;
//! [`serve`] listens for it. The scheduler knows nothing of HTTP, the
//! dialects nothing of batches, and `Inference` is all that is between them.
//!
//! What it doesn't do: other models, chat, storing vectors, gRPC.

mod router;
mod dialects;
mod app;
mod inference;
mod scheduler;
mod models;
mod settings;
mod error;
mod error_kind;
mod metrics;
mod api_key;
mod auth;
mod cors;
mod punycode;
mod access_log;
mod monitoring_routes;
mod openapi;
mod pages;
mod serve;
mod connection;
mod clients;
mod client;
mod progress;
mod bodies;
mod paths;
mod listen;
#[cfg(unix)]
mod socket_file;
mod tls;

pub use api_key::{ApiKey, ApiKeyError};
pub use app::{App, Models};
pub use cors::{Origin, OriginError};
pub use inference::Model;
pub use listen::{Address, Bound, ListenError, Listener};
pub use metrics::Metrics;
pub use models::{ModelToServe, load_embedder, load_reranker};
pub use openapi::document;
pub use router::{metrics_router, router};
pub use scheduler::{QueueLimits, ReplicaError, SchedulerSettings};
pub use serve::{ServeOptions, serve};
pub use settings::{Settings, Timeouts};
pub use tls::Tls;
