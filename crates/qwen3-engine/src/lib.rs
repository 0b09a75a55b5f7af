//! Text embeddings and reranking with Qwen3, on any machine.
//!
//! ```
//! use qwen3_engine::{Embedder, EncodeOptions, Error, Options};
//!
//! fn main() -> Result<(), Error> {
//!     // The model inside the program. A hub id such as "Qwen/Qwen3-Embedding-0.6B", or a folder.
//!     let model = Embedder::load("mini", &Options::default())?;
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
//! [`EmbedderHost`], [`RerankerHost`] and [`Session`] are the halves that these
//! two consist of, for servers, which queue tokens between them. A [`Checkpoint`]
//! is opened once and serves all of them.
//!
//! Calls block until they are done: a program with an event loop makes them on a
//! thread of its own (`spawn_blocking` in tokio).
//!
//! Data flows one way: text → tokens (`qwen3-text`) → packed batch → hidden
//! states (`qwen3`) → pooled rows → vectors or scores (here).
//!
//! What it doesn't do: store or search vectors, cut documents into passages,
//! train, or run other model families.

mod embedder;
mod reranker;
mod similarity;
mod input;
mod choices;
mod options;
mod progress;
mod error;
mod names;
mod files;
mod host;
mod run;
mod device;
pub mod internals;

pub use choices::{DtypeChoice, Kind};
pub use device::self_check::{PassedOver, SelfCheck, Trusted, self_check};
pub use device::{
    Absent, Device, DeviceChoice, DeviceId, Devices, Fallback, GpuApi, devices, keep_kernels_in,
};
pub use embedder::{Embedder, Embedding, EncodeOptions, TokenEmbeddings};
pub use error::{Cause, Error, OptionName};
pub use files::{
    Checkpoint, ConvertOptions, Converted, DataSet, DataSetFiles, HubToken, MINI, ModelFiles,
    NewFile, Provenance, Source, convert, sha256,
};
pub use host::{EmbedderHost, RerankerHost};
pub use input::{Input, Prompt};
pub use names::UnknownName;
pub use options::Options;
pub use progress::{CancelToken, Hooks, OnProgress, Progress};
pub use qwen3::head::probability;
pub use qwen3::{Config, DeviceKind, Dtype, Error as ModelError, Layout, MatmulStrategy, Rows};
pub use qwen3_text::{
    DEFAULT_TASK, Error as TextError, Limit, Prefix, Prompts, SpecialTokens, Token, Tokens,
    Truncate,
};
pub use reranker::{RankOptions, Ranked, Reranker, Score};
pub use run::Session;
pub use similarity::Similarity;

/// The guides' code runs as tests.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../../docs/library.md")]
    struct Library;
    #[doc = include_str!("../../../docs/desktop.md")]
    struct Desktop;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_go_from_thread_to_thread_and_serve_several() {
        fn is_shared<T: Send + Sync>() {}
        is_shared::<(Embedder, Reranker, Session)>();
        is_shared::<(EmbedderHost, RerankerHost, Checkpoint, Error)>();
    }
}
