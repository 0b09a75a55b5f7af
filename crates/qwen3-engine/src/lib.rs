//! Text embeddings and reranking with Qwen3, on any machine.
//!
//! ```
//! use qwen3_engine::{Embedder, EncodeOptions, Error, Options};
//!
//! fn main() -> Result<(), Error> {
//!     # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).unwrap();
//!     // A hub id such as "Qwen/Qwen3-Embedding-0.6B", or a folder.
//!     let model = Embedder::load("tests/fixtures/tiny-embedding", &Options::default())?;
//!     let options = EncodeOptions::default();
//!     let queries = model.encode_query(["What is the capital of China?"], &options)?;
//!     let documents = model.encode_document(["The capital of China is Beijing."], &options)?;
//!     println!("{:?}", model.similarity(&queries, &documents)?);
//!     Ok(())
//! }
//! ```
//!
//! [`Embedder`] makes vectors, [`Reranker`] scores pairs of a query and a
//! document. Both take the same [`Options`]: device, precision, threads,
//! limits. Every long call takes [`Hooks`]: progress out, cancelling in.
//! Every failure is an [`Error`] with a way out in its message, and leaves the
//! engine usable, unless it says that the device was lost.
//!
//! [`EmbedderText`], [`RerankerText`] and [`Network`] are the halves that these
//! two consist of, for servers, which queue tokens between them.
//!
//! Data flows one way: text → tokens (`qwen3-text`) → packed batch → hidden
//! states (`qwen3`) → pooled rows → vectors or scores (here).
//!
//! What it doesn't do: store or search vectors, cut documents into passages,
//! train, or run other model families.

mod embedder;
mod reranker;
mod embedder_text;
mod reranker_text;
mod network;
mod options;
mod device;
mod progress;
mod similarity;
mod error;
mod hub;
mod checkpoint;
mod model_files;
mod modules;
mod portable;
mod convert;
mod new_file;
mod checksum;
mod session;
mod turns;
mod batches;
mod backend;
mod self_check;
mod random;
pub mod published;
mod system;
mod cgroup;

pub use backend::limit_cpu_isa;
pub use checkpoint::Checkpoint;
pub use checksum::sha256;
pub use convert::{ConvertOptions, Converted, convert};
pub use device::{Absent, DeviceChoice, DeviceId, DeviceInfo, Fallback, devices};
pub use embedder::{Embedder, Embedding, EncodeOptions, Input, Prompt, TokenEmbeddings};
pub use embedder_text::EmbedderText;
pub use error::Error;
pub use hub::{HubOptions, model_path};
pub use model_files::ModelFiles;
pub use network::Network;
pub use new_file::NewFile;
pub use options::{DtypeChoice, HubToken, Kind, Layout, Options, UnknownName};
pub use portable::Provenance;
pub use progress::{CancelToken, Hooks, OnProgress, Progress};
pub use qwen3::head::probability;
pub use qwen3::{
    Config, Dtype, Error as ModelError, MatmulStrategy, Recorded, Rows, Stage, Step, Weights,
};
pub use qwen3_text::{
    DEFAULT_TASK, Error as TextError, Limit, Prefix, SpecialTokens, Token, Tokens, Truncate,
};
pub use random::random_checkpoint;
pub use reranker::{RankOptions, Ranked, Reranker, Score};
pub use reranker_text::RerankerText;
pub use self_check::{PassedOver, SelfCheck, Trusted, min_cosine, self_check, speed};
pub use similarity::Similarity;
pub use system::{peak_memory_bytes, processor_name};
