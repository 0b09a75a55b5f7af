//! Texts to vectors.

use crate::checkpoint::Checkpoint;
use crate::device::{DeviceId, Fallback};
use crate::embedder_text::EmbedderText;
use crate::error::Error;
use crate::options::Options;
use crate::progress::Hooks;
use crate::session::Session;
use qwen3::{Dtype, MatmulStrategy, Recorded, Rows, head};
use qwen3_text::Tokens;
use std::borrow::Cow;

/// A loaded Qwen3-Embedding model.
///
/// It may be shared between threads: their batches are computed one after the other,
/// in the order in which they come.
pub struct Embedder {
    text: EmbedderText,
    session: Session,
}

/// A text, or the token ids that another program made of one. An end token is
/// added to ids that don't end with it.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Text.
    Text(&'a str),
    /// Token ids; the prompt is not put in front of them.
    Ids(&'a [u32]),
}

/// What is put in front of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prompt {
    /// The model's default: none, unless its files say otherwise.
    #[default]
    Default,
    /// The prompt of this name in the model's files, such as `query`.
    Name(String),
    /// `Instruct: {task}\nQuery:` with this task.
    Instruction(String),
    /// Exactly this.
    Text(String),
}

/// What one call of [`Embedder::encode`] may choose.
#[derive(Clone, Debug)]
pub struct EncodeOptions {
    /// What is put in front of each text.
    pub prompt: Prompt,
    /// How many of the first dimensions to keep; `None`: all.
    pub dimensions: Option<usize>,
    /// Whether vectors are scaled to length 1.
    pub normalize: bool,
    /// Progress, and cancelling.
    pub hooks: Hooks,
}

/// The vector of one text.
#[derive(Clone, Debug, PartialEq)]
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
    /// of a file in it, or a file that [`crate::convert()`] wrote.
    ///
    /// # Errors
    /// If the model can't be found, downloaded or read, is no embedding model,
    /// or if the device can't run it.
    pub fn load(model: &str, options: &Options) -> Result<Self, Error> {
        let checkpoint = Checkpoint::find(model, options)?;
        let text = EmbedderText::of(&checkpoint, model, options)?;
        Ok(Self { text, session: Session::load(&checkpoint, options)? })
    }

    /// Vectors of texts (or token ids), in their order.
    ///
    /// # Errors
    /// If an input or option is invalid, the device fails, or the call is cancelled.
    pub fn encode<'a, I>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        options: &EncodeOptions,
    ) -> Result<Vec<Embedding>, Error>
    where
        I: Into<Input<'a>>,
    {
        self.encode_tokenized(&self.tokenize(inputs, options)?, options)
    }

    /// The tokens of inputs with their prompt, for [`Embedder::encode_tokenized`]: so that
    /// another thread can prepare the next inputs while a device computes.
    ///
    /// # Errors
    /// If an input is invalid, or the call is cancelled.
    pub fn tokenize<'a, I>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        options: &EncodeOptions,
    ) -> Result<Vec<Tokens>, Error>
    where
        I: Into<Input<'a>>,
    {
        self.tokenize_with(inputs, &self.text.prompt(&options.prompt)?, &options.hooks)
    }

    /// Vectors of inputs that [`Embedder::tokenize`] prepared, in their order.
    ///
    /// # Errors
    /// As [`Embedder::encode`].
    pub fn encode_tokenized(
        &self,
        encoded: &[Tokens],
        options: &EncodeOptions,
    ) -> Result<Vec<Embedding>, Error> {
        let dimensions = self.text.dimensions(options.dimensions)?;
        let rows = self.session.rows(&ids(encoded), Rows::Last, &options.hooks)?;
        let embed = |(row, encoded): (Vec<f32>, &Tokens)| Embedding {
            vector: head::embedding(row, dimensions, options.normalize),
            tokens: encoded.input_ids.len(),
            truncated: encoded.truncated,
        };
        Ok(rows.into_iter().zip(encoded).map(embed).collect())
    }

    /// As [`Embedder::encode`] with [`EmbedderText::query_prompt`], unless the options name another prompt.
    ///
    /// # Errors
    /// As [`Embedder::encode`].
    pub fn encode_query<'a, I>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        options: &EncodeOptions,
    ) -> Result<Vec<Embedding>, Error>
    where
        I: Into<Input<'a>>,
    {
        self.encode_with(inputs, &self.prompt_or(self.text.query_prompt(), options)?, options)
    }

    /// As [`Embedder::encode`] with [`EmbedderText::document_prompt`], unless the options name another prompt.
    ///
    /// # Errors
    /// As [`Embedder::encode`].
    pub fn encode_document<'a, I>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        options: &EncodeOptions,
    ) -> Result<Vec<Embedding>, Error>
    where
        I: Into<Input<'a>>,
    {
        self.encode_with(inputs, &self.prompt_or(self.text.document_prompt(), options)?, options)
    }

    fn encode_with<'a, I>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        prompt: &str,
        options: &EncodeOptions,
    ) -> Result<Vec<Embedding>, Error>
    where
        I: Into<Input<'a>>,
    {
        self.encode_tokenized(&self.tokenize_with(inputs, prompt, &options.hooks)?, options)
    }

    /// Vectors of every token of each text, in their order.
    ///
    /// # Errors
    /// As [`Embedder::encode`].
    pub fn token_embeddings<'a, I>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        prompt: &Prompt,
        hooks: &Hooks,
    ) -> Result<Vec<TokenEmbeddings>, Error>
    where
        I: Into<Input<'a>>,
    {
        let encoded = self.tokenize_with(inputs, &self.text.prompt(prompt)?, hooks)?;
        let rows = self.session.rows(&ids(&encoded), Rows::All, hooks)?;
        let split = |(rows, encoded): (Vec<f32>, Tokens)| TokenEmbeddings {
            vectors: rows.chunks(self.max_dimensions()).map(<[f32]>::to_vec).collect(),
            truncated: encoded.truncated,
            input_ids: encoded.input_ids,
        };
        Ok(rows.into_iter().zip(encoded).map(split).collect())
    }

    /// The token ids that [`Embedder::encode`] computes for one text.
    ///
    /// # Errors
    /// If the text is invalid, or too long and not to be truncated.
    pub fn tokenize_one(&self, text: &str, prompt: &Prompt) -> Result<Vec<u32>, Error> {
        let limit = self.text.limit();
        let prefix = self.text.prefix(&self.text.prompt(prompt)?, limit)?;
        Ok(self.text.encode(text.into(), &prefix, limit)?.input_ids)
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
        self.text.similarity().matrix(left, right)
    }

    /// Every stage of the forward pass of a packed batch, to compare with other
    /// implementations: the rows of these tokens of the batch, counted over
    /// all sequences. The ids are taken as they are.
    ///
    /// # Errors
    /// If the batch has no such token, and as [`Embedder::encode`].
    pub fn stages<S: AsRef<[u32]>>(
        &self,
        sequences: &[S],
        tokens: &[u32],
    ) -> Result<Vec<Recorded>, Error> {
        self.session.stages(sequences, tokens)
    }

    /// `hidden_size`: the most dimensions that a vector can have.
    pub fn max_dimensions(&self) -> usize {
        self.text.max_dimensions()
    }

    /// Names of the model's prompts.
    pub fn prompt_names(&self) -> impl Iterator<Item = &str> {
        self.text.prompt_names()
    }

    /// Added tokens for which the model's embedding table has no row: they are
    /// read as text.
    pub fn tokens_without_row(&self) -> &[String] {
        self.text.tokens_without_row()
    }

    /// Where the model runs.
    pub fn device(&self) -> DeviceId {
        self.session.device()
    }

    /// How it multiplies matrices there.
    pub fn matmul_strategy(&self) -> MatmulStrategy {
        self.session.matmul_strategy()
    }

    /// Devices that `auto` passed over, ways to multiply that are wrong on the
    /// device that is used, and why.
    pub fn fallbacks(&self) -> &[Fallback] {
        self.session.fallbacks()
    }

    /// Precision of the weights in memory.
    pub fn dtype(&self) -> Dtype {
        self.session.dtype()
    }

    fn tokenize_with<'a, I>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        prompt: &str,
        hooks: &Hooks,
    ) -> Result<Vec<Tokens>, Error>
    where
        I: Into<Input<'a>>,
    {
        let inputs: Vec<(usize, Input)> = inputs.into_iter().map(Into::into).enumerate().collect();
        let limit = self.text.limit();
        let prefix = self.text.prefix(prompt, limit)?;
        let encode = |(index, input): &(usize, Input)| {
            let encoded = self.text.encode(*input, &prefix, limit);
            encoded.map_err(|reason| Error::Input { input: *index, reason })
        };
        self.session.tokenize(&inputs, hooks, encode)
    }

    /// The options' prompt, or `usual` where they leave it open.
    fn prompt_or<'s>(
        &'s self,
        usual: &'s str,
        options: &'s EncodeOptions,
    ) -> Result<Cow<'s, str>, Error> {
        Ok(match &options.prompt {
            Prompt::Default => usual.into(),
            named => self.text.prompt(named)?,
        })
    }
}

pub(crate) fn ids(encoded: &[Tokens]) -> Vec<&[u32]> {
    encoded.iter().map(|encoded| encoded.input_ids.as_slice()).collect()
}

impl Default for EncodeOptions {
    fn default() -> Self {
        let (prompt, hooks) = Default::default();
        Self { prompt, dimensions: None, normalize: true, hooks }
    }
}

impl AsRef<[f32]> for Embedding {
    fn as_ref(&self) -> &[f32] {
        &self.vector
    }
}

impl<'a> From<&'a str> for Input<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Input<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a, T: ?Sized> From<&&'a T> for Input<'a>
where
    &'a T: Into<Input<'a>>,
{
    fn from(input: &&'a T) -> Self {
        (*input).into()
    }
}

impl<'a> From<&'a [u32]> for Input<'a> {
    fn from(ids: &'a [u32]) -> Self {
        Self::Ids(ids)
    }
}

impl<'a> From<&'a Vec<u32>> for Input<'a> {
    fn from(ids: &'a Vec<u32>) -> Self {
        Self::Ids(ids)
    }
}
