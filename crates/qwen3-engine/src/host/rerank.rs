//! What a reranker needs on the host: the template and tokens before the
//! network, the head after it.

use super::{Limits, max_tokens, prompts};
use crate::choices::Kind;
use crate::error::Error;
use crate::files::{Checkpoint, ModelFiles, Source};
use crate::options::Options;
use qwen3::ScoreHead;
use qwen3_text::{
    DEFAULT_TASK, Error as TextError, Limit, Prefix, Prompts, RerankTokenizer, SpecialTokens,
    Token, Tokens,
};
use std::fmt;

/// The model card's limit; the model itself takes more.
const USUAL_MAX_TOKENS: usize = 8_192;

/// The host's half of a Qwen3-Reranker model; [`crate::Session`] is the other
/// one. For programs that queue tokens themselves, such as servers.
///
/// It may be used by any number of threads at the same time.
pub struct RerankerHost {
    tokenizer: RerankTokenizer,
    head: ScoreHead,
    limits: Limits,
    prompts: Option<Prompts>,
    label: String,
    files: ModelFiles,
}

impl RerankerHost {
    /// Reads the files beside the weights and the rows of the head, without
    /// loading the network.
    ///
    /// # Errors
    /// If the model can't be found, downloaded or read, or is no reranker.
    pub fn load(model: impl Into<Source>, options: &Options) -> Result<Self, Error> {
        Self::from_checkpoint(&Checkpoint::open(model, &options.hooks)?, options)
    }

    /// The same of an opened model.
    ///
    /// # Errors
    /// If a file can't be read, or it is no reranker.
    pub fn from_checkpoint(checkpoint: &Checkpoint, options: &Options) -> Result<Self, Error> {
        let (config, weights) = (&checkpoint.config, &checkpoint.weights);
        let special_tokens = options.special_tokens.unwrap_or(SpecialTokens::Literal);
        let tokenizer = || checkpoint.rerank_tokenizer(special_tokens);
        let (tokenizer, head, label) = match checkpoint.kind {
            Kind::Reranker => {
                let (tokenizer, yes, no) = tokenizer()?;
                (tokenizer, ScoreHead::yes_no(weights, config, yes, no)?, "yes".to_owned())
            }
            Kind::SequenceClassification => {
                let head = ScoreHead::sequence_classification(weights, config)?;
                (tokenizer()?.0, head, checkpoint.first_label()?)
            }
            Kind::Embedding => {
                let (model, found) = (checkpoint.model.clone(), checkpoint.kind);
                return Err(Error::WrongKind { model, found, wanted: Kind::Reranker });
            }
        };
        let max_positions = config.max_position_embeddings;
        let max_tokens = max_tokens(options.max_tokens, USUAL_MAX_TOKENS, max_positions)?;
        let usual = Limit { max_tokens, truncate: options.truncate };
        let (limits, prompts) = (Limits { usual, max_positions }, prompts(checkpoint)?);
        checkpoint.check_unchanged()?;
        Ok(Self { tokenizer, head, limits, prompts, label, files: checkpoint.files.clone() })
    }

    /// An instruction, tokenized once for any number of queries; the official default if `None`.
    ///
    /// # Errors
    /// If it is refused, or the limit has no room for the template.
    pub fn instruction_prefix(
        &self,
        instruction: Option<&str>,
        limit: Limit,
    ) -> Result<Prefix, TextError> {
        self.tokenizer.instruction_prefix(instruction.unwrap_or(DEFAULT_TASK), limit)
    }

    /// A query after an instruction, tokenized once for any number of documents.
    ///
    /// # Errors
    /// As [`RerankerHost::instruction_prefix`].
    pub fn query_prefix(
        &self,
        instruction: &Prefix,
        query: &str,
        limit: Limit,
    ) -> Result<Prefix, TextError> {
        self.tokenizer.query_prefix(instruction, query, limit)
    }

    /// The tokens of a pair, with the template; see [`RerankTokenizer::tokenize_after`].
    ///
    /// # Errors
    /// If a text is invalid, or too long and not to be truncated.
    pub fn tokenize(
        &self,
        query: &Prefix,
        document: &str,
        limit: Limit,
    ) -> Result<Tokens, TextError> {
        self.tokenizer.tokenize_after(query, document, limit)
    }

    /// `logit_yes − logit_no` from a row `[C]` that the network gave for a pair.
    pub fn log_odds(&self, row: &[f32]) -> f64 {
        self.head.log_odds(row)
    }

    /// See [`RerankTokenizer::next_tokens`].
    ///
    /// # Errors
    /// As there.
    pub fn next_tokens(&self, text: &str, from: usize) -> Result<(Vec<Token>, usize), TextError> {
        self.tokenizer.next_tokens(text, from)
    }

    /// The tokens of texts one after the other, without the template.
    ///
    /// # Errors
    /// If a text is invalid.
    pub fn tokenize_plain(&self, texts: &[&str]) -> Result<Vec<u32>, TextError> {
        self.tokenizer.tokenize_plain(texts)
    }

    /// See [`RerankTokenizer::decode`].
    ///
    /// # Errors
    /// As there.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TextError> {
        self.tokenizer.decode(ids, skip_special)
    }

    /// Added tokens for which the model's embedding table has no row: they are
    /// read as text.
    pub fn tokens_without_row(&self) -> &[String] {
        self.tokenizer.tokens_without_row()
    }

    /// How long a pair may be, and what happens to a longer one.
    pub fn limit(&self) -> Limit {
        self.limits.usual
    }

    /// The same of a call that asks for `max_tokens`.
    ///
    /// # Errors
    /// If the model doesn't take as many, or none are asked for.
    pub fn limit_of(&self, max_tokens: Option<usize>) -> Result<Limit, Error> {
        self.limits.of_call(max_tokens)
    }

    /// The prompts that the model's files have for sentence-transformers, which are
    /// instructions here. They are used only where they are passed.
    pub fn prompts(&self) -> Option<&Prompts> {
        self.prompts.as_ref()
    }

    /// The files that it was loaded from.
    pub fn files(&self) -> &ModelFiles {
        &self.files
    }

    /// What a high score says: `yes`, or the label that a classifier's config names.
    pub fn label(&self) -> &str {
        &self.label
    }
}

impl fmt::Debug for RerankerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RerankerHost")
            .field("model", &self.files.path())
            .field("limit", &self.limits.usual)
            .finish_non_exhaustive()
    }
}
