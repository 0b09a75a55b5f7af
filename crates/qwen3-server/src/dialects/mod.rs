//! One module per dialect: its requests, its answers, its errors. What they
//! share is in the other files, so that no dialect knows another: how a body is
//! read, the fields that all of them take, and paths that several answer.
//! Requests are read by their `from_fields`; what they say to `serde` is for the
//! OpenAPI document.

mod answers;
mod body;
pub mod by_body;
pub mod cohere;
mod documents;
mod embeddings_request;
mod errors;
mod fields;
mod inputs;
pub mod jina;
mod json;
pub mod llama_cpp;
mod object;
pub mod ollama;
pub mod openai;
mod ranking;
mod shared_fields;
mod survey;
pub mod tei;
pub mod vllm;

pub use answers::{Answer, DocumentText, Usage, answer, new_id};
pub use body::Body;
pub use documents::{Document, Documents};
pub use embeddings_request::{EmbeddingsRequest, Numbers};
pub use errors::{Dialect, DialectError, LoggedError, param, status_type_code};
pub use fields::{Fields, FromFields, Kind, Value};
pub use inputs::{Inputs, Texts};
pub use json::JsonText;
pub use ranking::{RankedDocument, Ranking, top_n};
pub use shared_fields::{SharedFields, Truncation, dimensions};
