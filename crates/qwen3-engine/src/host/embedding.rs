//! What an embedding model needs on the host: prompts and tokens before the
//! network, vectors after it.

use super::{Limits, max_tokens, prompts};
use crate::choices::Kind;
use crate::error::Error;
use crate::files::{Checkpoint, ModelFiles, Source};
use crate::input::{Input, Prompt};
use crate::options::Options;
use crate::similarity::Similarity;
use qwen3::head;
use qwen3_text::{
    EmbeddingTokenizer, Error as TextError, Limit, Prefix, Prompts, SpecialTokens, Token, Tokens,
    instruct_prompt,
};
use std::borrow::Cow;
use std::fmt;

/// The host's half of a Qwen3-Embedding model; [`crate::Session`] is the other
/// one. For programs that queue tokens themselves, such as servers.
///
/// It may be used by any number of threads at the same time.
pub struct EmbedderHost {
    tokenizer: EmbeddingTokenizer,
    prompts: Prompts,
    limits: Limits,
    similarity: Similarity,
    hidden_size: usize,
    leaves_length: bool,
    files: ModelFiles,
}

impl EmbedderHost {
    /// Reads the files beside the weights, without loading these.
    ///
    /// # Errors
    /// If the model can't be found, downloaded or read, or is no embedding model.
    pub fn load(model: impl Into<Source>, options: &Options) -> Result<Self, Error> {
        Self::from_checkpoint(&Checkpoint::open(model, &options.hooks)?, options)
    }

    /// The same of an opened model.
    ///
    /// # Errors
    /// If a file can't be read, or it is no embedding model.
    pub fn from_checkpoint(checkpoint: &Checkpoint, options: &Options) -> Result<Self, Error> {
        if checkpoint.kind != Kind::Embedding {
            let (model, found) = (checkpoint.model.clone(), checkpoint.kind);
            return Err(Error::WrongKind { model, found, wanted: Kind::Embedding });
        }
        let special_tokens = options.special_tokens.unwrap_or(SpecialTokens::Parse);
        let tokenizer = EmbeddingTokenizer::from_json(
            &checkpoint.needed("tokenizer.json")?,
            &checkpoint.path_of("tokenizer.json"),
            special_tokens,
        )?
        .within(checkpoint.config.vocab_size)?;
        let prompts = prompts(checkpoint)?.unwrap_or_default();
        let max_positions = checkpoint.config.max_position_embeddings;
        let usual = checkpoint.max_seq_length()?.unwrap_or(max_positions);
        let max_tokens = max_tokens(options.max_tokens, usual, max_positions)?;
        // A similarity that isn't known here is not used here either.
        let similarity = prompts.similarity_fn_name().and_then(|name| name.parse().ok());
        checkpoint.check_unchanged()?;
        Ok(Self {
            tokenizer,
            limits: Limits {
                usual: Limit { max_tokens, truncate: options.truncate },
                max_positions,
            },
            similarity: similarity.unwrap_or_default(),
            hidden_size: checkpoint.config.hidden_size,
            leaves_length: checkpoint.leaves_length()?,
            prompts,
            files: checkpoint.files.clone(),
        })
    }

    /// The text that is put in front of inputs.
    ///
    /// # Errors
    /// If the model has no prompt of this name.
    pub fn prompt<'s>(&'s self, prompt: &'s Prompt) -> Result<Cow<'s, str>, TextError> {
        Ok(match prompt {
            Prompt::Default => self.prompts.default_prompt().unwrap_or_default().into(),
            Prompt::Query => self.prompts.first_of(&["query"]).into(),
            Prompt::Document => self.prompts.first_of(&["document", "passage", "corpus"]).into(),
            Prompt::Name(name) => self.prompts.get(name)?.into(),
            Prompt::Instruction(task) => instruct_prompt(task).into(),
            Prompt::Text(text) => text.into(),
        })
    }

    /// A prompt, tokenized once for any number of texts; see [`EmbeddingTokenizer::prefix`].
    ///
    /// # Errors
    /// If the prompt is refused.
    pub fn prefix(&self, prompt: &str, limit: Limit) -> Result<Prefix, TextError> {
        self.tokenizer.prefix(prompt, limit)
    }

    /// The tokens of one input, with the end token; ids have no prompt.
    ///
    /// # Errors
    /// If the input is invalid, or too long and not to be truncated.
    pub fn tokenize(
        &self,
        input: Input<'_>,
        prompt: &Prefix,
        limit: Limit,
    ) -> Result<Tokens, TextError> {
        match input {
            Input::Text(text) => self.tokenizer.tokenize_after(prompt, text, limit),
            Input::Ids(ids) => self.tokenizer.tokens_of_ids(ids, limit),
        }
    }

    /// The vector of a row `[C]` that the network gave for an input: its first
    /// `dimensions` numbers (all, if `None`), scaled to length 1 if asked.
    ///
    /// # Errors
    /// If the model has fewer dimensions, or none are asked for.
    pub fn embedding(
        &self,
        row: Vec<f32>,
        dimensions: Option<usize>,
        normalize: bool,
    ) -> Result<Vec<f32>, Error> {
        Ok(head::embedding(row, self.dimensions(dimensions)?, normalize))
    }

    /// How many dimensions a vector has if these are asked for.
    ///
    /// # Errors
    /// As [`EmbedderHost::embedding`].
    pub fn dimensions(&self, asked: Option<usize>) -> Result<usize, Error> {
        match asked {
            Some(asked) if asked == 0 || asked > self.hidden_size => {
                Err(Error::Dimensions { asked, max: self.hidden_size })
            }
            _ => Ok(asked.unwrap_or(self.hidden_size)),
        }
    }

    /// `hidden_size`: the most dimensions that a vector can have.
    pub fn max_dimensions(&self) -> usize {
        self.hidden_size
    }

    /// See [`EmbeddingTokenizer::next_tokens`].
    ///
    /// # Errors
    /// As there.
    pub fn next_tokens(&self, text: &str, from: usize) -> Result<(Vec<Token>, usize), TextError> {
        self.tokenizer.next_tokens(text, from)
    }

    /// The end token as it is appended.
    pub fn end_token(&self) -> Token {
        self.tokenizer.end_token()
    }

    /// See [`EmbeddingTokenizer::decode`].
    ///
    /// # Errors
    /// As there.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TextError> {
        self.tokenizer.decode(ids, skip_special)
    }

    /// Names of the model's prompts.
    pub fn prompt_names(&self) -> impl Iterator<Item = &str> {
        self.prompts.names()
    }

    /// The model's prompts, by name.
    pub fn prompts(&self) -> &Prompts {
        &self.prompts
    }

    /// Whether the model's list of modules has no `Normalize`, so that sentence-transformers
    /// leaves vectors as long as they are unless it is told otherwise. Here every vector is
    /// scaled to length 1 unless [`crate::EncodeOptions::normalize`] says otherwise.
    pub fn leaves_length(&self) -> bool {
        self.leaves_length
    }

    /// Added tokens for which the model's embedding table has no row: they are
    /// read as text.
    pub fn tokens_without_row(&self) -> &[String] {
        self.tokenizer.tokens_without_row()
    }

    /// How long an input may be, and what happens to a longer one.
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

    /// The files that it was loaded from.
    pub fn files(&self) -> &ModelFiles {
        &self.files
    }

    /// The measure that the model's files name (cosine).
    pub fn similarity(&self) -> Similarity {
        self.similarity
    }
}

impl fmt::Debug for EmbedderHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbedderHost")
            .field("model", &self.files.path())
            .field("limit", &self.limits.usual)
            .finish_non_exhaustive()
    }
}
