//! Embeddings and reranking over HTTP.

pub mod scheduler;
pub mod inference;
pub mod error;
pub mod metrics;
pub mod settings;
