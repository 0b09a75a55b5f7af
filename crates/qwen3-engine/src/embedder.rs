//! Texts to vectors.

use crate::device::{DeviceId, Fallback};
use crate::error::Error;
use crate::files::{Checkpoint, Source};
use crate::host::EmbedderHost;
use crate::input::{Input, Prompt};
use crate::options::{Options, setters};
use crate::progress::Hooks;
use crate::run::Session;
use qwen3::{Dtype, Rows, head};
use qwen3_text::Tokens;

/// A loaded Qwen3-Embedding model.
///
/// It may be shared between threads: their batches are computed one after the other,
/// in the order in which they come.
#[derive(Debug)]
pub struct Embedder {
    host: EmbedderHost,
    session: Session,
}

/// What one call of [`Embedder::encode`] may choose.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EncodeOptions {
    /// What is put in front of each text.
    pub prompt: Prompt,
    /// How many of the first dimensions to keep; `None`: all.
    pub dimensions: Option<usize>,
    /// Whether vectors are scaled to length 1 (after they are cut).
    pub normalize: bool,
    /// Tokens of one text, with prompt and end token; `None`: as the model was loaded.
    pub max_tokens: Option<usize>,
    /// Progress, and cancelling.
    pub hooks: Hooks,
}

impl EncodeOptions {
    setters! {
        prompt: Prompt,
        dimensions: Option<usize>,
        normalize: bool,
        max_tokens: Option<usize>,
        hooks: Hooks,
    }

    /// These, with `prompt` where they leave it to the model.
    fn or_prompt(&self, prompt: Prompt) -> Self {
        match self.prompt {
            Prompt::Default => self.clone().prompt(prompt),
            _ => self.clone(),
        }
    }
}

/// The vector of one text.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Embedding {
    /// `dimensions` numbers, of length 1 unless asked otherwise.
    pub vector: Vec<f32>,
    /// Tokens computed, with prompt and end token.
    pub tokens: usize,
    /// Whether the text was cut to fit.
    pub truncated: bool,
}

/// The vectors of one text's tokens.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TokenEmbeddings {
    /// The tokens, the end token last.
    pub input_ids: Vec<u32>,
    /// One vector for each: hidden states after the final norm, as they are.
    pub vectors: Vec<Vec<f32>>,
    /// Whether the text was cut to fit.
    pub truncated: bool,
}

impl Embedder {
    /// Loads a model by hub id (`Qwen/Qwen3-Embedding-0.6B`), folder, the path
    /// of a file in it, a file that [`crate::convert()`] wrote, or as `mini`, the one
    /// inside the program. Takes seconds, minutes where it has to be downloaded, and
    /// milliseconds for `mini`.
    ///
    /// # Errors
    /// If the model can't be found, downloaded or read, is no embedding model,
    /// or if the device can't run it.
    pub fn load(model: impl Into<Source>, options: &Options) -> Result<Self, Error> {
        Self::from_checkpoint(&Checkpoint::open(model, &options.hooks)?, options)
    }

    /// Loads an opened model.
    ///
    /// # Errors
    /// If it is no embedding model, or the device can't run it.
    pub fn from_checkpoint(checkpoint: &Checkpoint, options: &Options) -> Result<Self, Error> {
        let host = EmbedderHost::from_checkpoint(checkpoint, options)?;
        Ok(Self { host, session: Session::from_checkpoint(checkpoint, options)? })
    }

    /// Vectors of texts (or token ids), in their order.
    ///
    /// # Errors
    /// If an input or option is invalid, the device fails, or the call is cancelled.
    pub fn encode<'a>(
        &self,
        inputs: impl IntoIterator<Item: Into<Input<'a>>>,
        options: &EncodeOptions,
    ) -> Result<Vec<Embedding>, Error> {
        self.encode_tokens(&self.tokenize(inputs, options)?, options)
    }

    /// The vector of one text (or its token ids).
    ///
    /// # Errors
    /// As [`Embedder::encode`].
    pub fn encode_one<'a>(
        &self,
        input: impl Into<Input<'a>>,
        options: &EncodeOptions,
    ) -> Result<Embedding, Error> {
        let embeddings = self.encode([input], options)?;
        Ok(embeddings.into_iter().next().expect("one vector per input"))
    }

    /// As [`Embedder::encode`] with [`Prompt::Query`], unless the options name another prompt.
    ///
    /// # Errors
    /// As [`Embedder::encode`].
    pub fn encode_query<'a>(
        &self,
        inputs: impl IntoIterator<Item: Into<Input<'a>>>,
        options: &EncodeOptions,
    ) -> Result<Vec<Embedding>, Error> {
        self.encode(inputs, &options.or_prompt(Prompt::Query))
    }

    /// As [`Embedder::encode`] with [`Prompt::Document`], unless the options name another prompt.
    ///
    /// # Errors
    /// As [`Embedder::encode`].
    pub fn encode_document<'a>(
        &self,
        inputs: impl IntoIterator<Item: Into<Input<'a>>>,
        options: &EncodeOptions,
    ) -> Result<Vec<Embedding>, Error> {
        self.encode(inputs, &options.or_prompt(Prompt::Document))
    }

    /// The tokens of inputs with their prompt, for [`Embedder::encode_tokens`]: so that
    /// another thread can prepare the next inputs while a device computes.
    ///
    /// # Errors
    /// If an input is invalid, or the call is cancelled.
    pub fn tokenize<'a>(
        &self,
        inputs: impl IntoIterator<Item: Into<Input<'a>>>,
        options: &EncodeOptions,
    ) -> Result<Vec<Tokens>, Error> {
        let inputs: Vec<(usize, Input)> = inputs.into_iter().map(Into::into).enumerate().collect();
        let limit = self.host.limit_of(options.max_tokens)?;
        let prefix = self.host.prefix(&self.host.prompt(&options.prompt)?, limit)?;
        let tokenize = |(index, input): &(usize, Input)| {
            let tokens = self.host.tokenize(*input, &prefix, limit);
            tokens.map_err(|reason| Error::Input { input: *index, reason })
        };
        self.session.tokenize(&inputs, &options.hooks, tokenize)
    }

    /// Vectors of inputs that [`Embedder::tokenize`] prepared, in their order.
    ///
    /// # Errors
    /// If an option is invalid, the device fails, or the call is cancelled.
    pub fn encode_tokens(
        &self,
        tokens: &[Tokens],
        options: &EncodeOptions,
    ) -> Result<Vec<Embedding>, Error> {
        let dimensions = self.host.dimensions(options.dimensions)?;
        let rows = self.session.rows(&ids(tokens), Rows::Last, &options.hooks)?;
        let embed = |(row, tokens): (Vec<f32>, &Tokens)| Embedding {
            vector: head::embedding(row, dimensions, options.normalize),
            tokens: tokens.input_ids.len(),
            truncated: tokens.truncated,
        };
        Ok(rows.into_iter().zip(tokens).map(embed).collect())
    }

    /// Vectors of every token of each text, in their order: not cut, not scaled.
    /// `dimensions` and `normalize` have no effect.
    ///
    /// # Errors
    /// As [`Embedder::encode`].
    pub fn token_embeddings<'a>(
        &self,
        inputs: impl IntoIterator<Item: Into<Input<'a>>>,
        options: &EncodeOptions,
    ) -> Result<Vec<TokenEmbeddings>, Error> {
        let tokens = self.tokenize(inputs, options)?;
        let rows = self.session.rows(&ids(&tokens), Rows::All, &options.hooks)?;
        let split = |(rows, tokens): (Vec<f32>, Tokens)| TokenEmbeddings {
            vectors: rows.chunks(self.host.max_dimensions()).map(<[f32]>::to_vec).collect(),
            truncated: tokens.truncated,
            input_ids: tokens.input_ids,
        };
        Ok(rows.into_iter().zip(tokens).map(split).collect())
    }

    /// Similarities of all `left` with all `right` vectors, row by row, in the
    /// measure that the model's files name (cosine).
    ///
    /// # Errors
    /// If two vectors differ in length.
    pub fn similarity<L, R>(&self, left: &[L], right: &[R]) -> Result<Vec<Vec<f64>>, Error>
    where
        L: AsRef<[f32]>,
        R: AsRef<[f32]>,
    {
        self.host.similarity().matrix(left, right)
    }

    /// `hidden_size`: the most dimensions that a vector can have.
    pub fn max_dimensions(&self) -> usize {
        self.host.max_dimensions()
    }

    /// Prompts, limits and the tokenizer.
    pub fn host(&self) -> &EmbedderHost {
        &self.host
    }

    /// The network on its device.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Where the model runs.
    pub fn device(&self) -> DeviceId {
        self.session.device()
    }

    /// Precision of the weights in memory.
    pub fn dtype(&self) -> Dtype {
        self.session.dtype()
    }

    /// Devices that `auto` passed over, ways to multiply that are wrong on the
    /// device that is used, and why.
    pub fn fallbacks(&self) -> &[Fallback] {
        self.session.fallbacks()
    }
}

fn ids(tokens: &[Tokens]) -> Vec<&[u32]> {
    tokens.iter().map(|tokens| tokens.input_ids.as_slice()).collect()
}

impl Default for EncodeOptions {
    fn default() -> Self {
        let (prompt, hooks) = Default::default();
        Self { prompt, dimensions: None, normalize: true, max_tokens: None, hooks }
    }
}

impl AsRef<[f32]> for Embedding {
    fn as_ref(&self) -> &[f32] {
        &self.vector
    }
}
