//! Pairs of a query and a document to scores.

use crate::device::{DeviceId, Fallback};
use crate::error::Error;
use crate::files::{Checkpoint, Source};
use crate::host::RerankerHost;
use crate::options::{Options, setters};
use crate::progress::Hooks;
use crate::run::Session;
use qwen3::{Dtype, Rows, head};
use qwen3_text::{Prefix, Tokens};

/// A loaded Qwen3-Reranker model.
///
/// It may be shared between threads: their batches are computed one after the other,
/// in the order in which they come.
#[derive(Debug)]
pub struct Reranker {
    host: RerankerHost,
    session: Session,
}

/// What one call of [`Reranker::rank`] or [`Reranker::score`] may choose.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RankOptions {
    /// What makes a document relevant, in a sentence; `None`: the official default.
    pub instruction: Option<String>,
    /// How many of the best to return; `None`: all.
    pub top_n: Option<usize>,
    /// Tokens of one pair, with the template; `None`: as the model was loaded.
    pub max_tokens: Option<usize>,
    /// Progress, and cancelling.
    pub hooks: Hooks,
}

impl RankOptions {
    setters! { top_n: Option<usize>, max_tokens: Option<usize>, hooks: Hooks }

    /// The same options with this `instruction`; see the field.
    #[must_use]
    pub fn instruction(mut self, instruction: impl Into<String>) -> Self {
        self.instruction = Some(instruction.into());
        self
    }
}

/// How well a document answers a query.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Score {
    /// Probability of "yes", 0 to 1.
    pub score: f64,
    /// `logit_yes − logit_no`: tells apart what `score` rounds to 1.
    pub log_odds: f64,
    /// Tokens computed, with the template.
    pub tokens: usize,
    /// Whether the pair was cut to fit.
    pub truncated: bool,
}

/// A document's place in a ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ranked {
    /// Index among the documents given.
    pub index: usize,
    /// How well it answers the query.
    pub score: Score,
}

impl Reranker {
    /// Loads a model by hub id (`Qwen/Qwen3-Reranker-0.6B`), folder, the path
    /// of a file in it, or a file that [`crate::convert()`] wrote. Takes seconds,
    /// and minutes where it has to be downloaded.
    ///
    /// # Errors
    /// If the model can't be found, downloaded or read, is no reranker, or if
    /// the device can't run it.
    pub fn load(model: impl Into<Source>, options: &Options) -> Result<Self, Error> {
        Self::from_checkpoint(&Checkpoint::open(model, &options.hooks)?, options)
    }

    /// Loads an opened model.
    ///
    /// # Errors
    /// If it is no reranker, or the device can't run it.
    pub fn from_checkpoint(checkpoint: &Checkpoint, options: &Options) -> Result<Self, Error> {
        let host = RerankerHost::from_checkpoint(checkpoint, options)?;
        Ok(Self { host, session: Session::from_checkpoint(checkpoint, options)? })
    }

    /// Documents by how well they answer `query`, best first; equal ones in
    /// the order given.
    ///
    /// # Errors
    /// If a text is invalid, the device fails, or the call is cancelled.
    pub fn rank<D: AsRef<str> + Sync>(
        &self,
        query: &str,
        documents: impl IntoIterator<Item = D>,
        options: &RankOptions,
    ) -> Result<Vec<Ranked>, Error> {
        let pairs = documents.into_iter().map(|document| (query, document));
        let scores = self.score(pairs, options)?.into_iter().enumerate();
        let mut ranked: Vec<_> = scores.map(|(index, score)| Ranked { index, score }).collect();
        // By log-odds: probabilities of good documents all round to 1.
        ranked.sort_by(|a, b| b.score.log_odds.total_cmp(&a.score.log_odds));
        ranked.truncate(options.top_n.unwrap_or(usize::MAX));
        Ok(ranked)
    }

    /// Scores of pairs of a query and a document, in their order; `top_n` has
    /// no effect.
    ///
    /// # Errors
    /// As [`Reranker::rank`].
    pub fn score<Q, D>(
        &self,
        pairs: impl IntoIterator<Item = (Q, D)>,
        options: &RankOptions,
    ) -> Result<Vec<Score>, Error>
    where
        Q: AsRef<str> + Sync,
        D: AsRef<str> + Sync,
    {
        self.score_tokens(&self.tokenize(pairs, options)?, options)
    }

    /// The score of one pair.
    ///
    /// # Errors
    /// As [`Reranker::rank`].
    pub fn score_one(
        &self,
        query: &str,
        document: &str,
        options: &RankOptions,
    ) -> Result<Score, Error> {
        let scores = self.score([(query, document)], options)?;
        Ok(scores.into_iter().next().expect("one score per pair"))
    }

    /// The tokens of pairs with the template, for [`Reranker::score_tokens`]: so
    /// that another thread can prepare the next pairs while a device computes.
    ///
    /// # Errors
    /// If a text is invalid, or the call is cancelled.
    pub fn tokenize<Q, D>(
        &self,
        pairs: impl IntoIterator<Item = (Q, D)>,
        options: &RankOptions,
    ) -> Result<Vec<Tokens>, Error>
    where
        Q: AsRef<str> + Sync,
        D: AsRef<str> + Sync,
    {
        let limit = self.host.limit_of(options.max_tokens)?;
        let instruction = self.host.instruction_prefix(options.instruction.as_deref(), limit)?;
        let numbered: Vec<(usize, (Q, D))> = pairs.into_iter().enumerate().collect();
        let of_one_query = |(_, (a, _)): &(usize, (Q, D)), (_, (b, _)): &(usize, (Q, D))| {
            let (a, b) = (a.as_ref(), b.as_ref());
            std::ptr::eq(a, b) || a == b
        };
        let queries: Vec<&[(usize, (Q, D))]> = numbered.chunk_by(of_one_query).collect();
        let prefix = |pairs: &&[(usize, (Q, D))]| {
            let (first, (query, _)) = &pairs[0];
            let prefix = self.host.query_prefix(&instruction, query.as_ref(), limit);
            prefix.map_err(|reason| Error::Input { input: *first, reason })
        };
        let prefixes = self.session.tokenize(&queries, &options.hooks, prefix)?;
        let of_query = queries.into_iter().zip(&prefixes);
        let prefixed: Vec<(&Prefix, usize, &D)> = of_query
            .flat_map(|(pairs, prefix)| {
                pairs.iter().map(move |(index, (_, document))| (prefix, *index, document))
            })
            .collect();
        let tokenize = |(prefix, index, document): &(&Prefix, usize, &D)| {
            let tokens = self.host.tokenize(prefix, document.as_ref(), limit);
            tokens.map_err(|reason| Error::Input { input: *index, reason })
        };
        self.session.tokenize(&prefixed, &options.hooks, tokenize)
    }

    /// Scores of pairs that [`Reranker::tokenize`] prepared, in their order.
    ///
    /// # Errors
    /// If the device fails, or the call is cancelled.
    pub fn score_tokens(
        &self,
        tokens: &[Tokens],
        options: &RankOptions,
    ) -> Result<Vec<Score>, Error> {
        let ids: Vec<&[u32]> = tokens.iter().map(|tokens| tokens.input_ids.as_slice()).collect();
        let rows = self.session.rows(&ids, Rows::Last, &options.hooks)?;
        let score = |(row, tokens): (Vec<f32>, &Tokens)| {
            let log_odds = self.host.log_odds(&row);
            Score {
                score: head::probability(log_odds),
                log_odds,
                tokens: tokens.input_ids.len(),
                truncated: tokens.truncated,
            }
        };
        Ok(rows.into_iter().zip(tokens).map(score).collect())
    }

    /// The template, limits, the tokenizer and the head.
    pub fn host(&self) -> &RerankerHost {
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
