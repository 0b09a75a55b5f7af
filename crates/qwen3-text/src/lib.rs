//! Prompts and tokens for Qwen3-Embedding and Qwen3-Reranker.
//!
//! The models are trained on exact strings: a space too many, a missing end token or a
//! template cut by truncation gives plausible, wrong numbers. This crate makes the ids that
//! the official examples make, for every text and limit.
//!
//! ```
//! use qwen3_text::{DEFAULT_TASK, EmbeddingTokenizer, Limit, SpecialTokens, Truncate, instruct_prompt};
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tiny-embedding");
//!
//! let tokenizer = EmbeddingTokenizer::from_folder(folder.as_ref(), SpecialTokens::Literal)?;
//! let limit = Limit { max_tokens: 8192, truncate: Truncate::Right };
//!
//! let prompt = instruct_prompt(DEFAULT_TASK);
//! let query = tokenizer.tokenize(&prompt, "What is the capital of China?", limit)?;
//! let document = tokenizer.tokenize("", "The capital of China is Beijing.", limit)?;
//!
//! assert_eq!(query.input_ids.last(), Some(&tokenizer.eos_token_id()));
//! assert!(!document.truncated);
//! # Ok::<(), qwen3_text::Error>(())
//! ```
//!
//! - [`EmbeddingTokenizer`] and [`RerankTokenizer`] read `tokenizer.json` of a model folder
//!   and tokenize from any number of threads.
//! - [`Prompts`] are those of the folder's `config_sentence_transformers.json`.
//! - [`SpecialTokens`] decides whether a text may speak in control tokens, [`Limit`] how long
//!   it may be.
//!
//! A text may be anything and of any length. No more of it is tokenized than the limit keeps,
//! piece by piece: memory is that of one piece. Pieces end at blanks, digits, line breaks and
//! marks; a stretch of 256 KiB without any of these is an error. What stands before many
//! texts, a prompt or a query, is tokenized once as their [`Prefix`].
//!
//! What it doesn't do: download models, cut documents into passages, apply a
//! `chat_template.jinja` or tokenize for other model families. It knows nothing of tensors and
//! batches.

mod embedding;
mod error;
mod limit;
mod names;
mod pieces;
mod prompt;
mod rerank;
mod special;
mod token;
mod tokenizer;
mod tokenizer_json;

pub use embedding::EmbeddingTokenizer;
pub use error::Error;
pub use limit::{Limit, Tokens, Truncate};
pub use prompt::{DEFAULT_TASK, Prompts, instruct_prompt};
pub use rerank::RerankTokenizer;
pub use special::SpecialTokens;
pub use token::Token;
pub use tokenizer::Prefix;
