//! Pairs of a query and a document to scores.

use crate::checkpoint::Checkpoint;
use crate::device::{DeviceId, Fallback};
use crate::embedder::ids;
use crate::error::Error;
use crate::options::Options;
use crate::progress::Hooks;
use crate::reranker_text::RerankerText;
use crate::session::Session;
use qwen3::{Dtype, MatmulStrategy, Recorded, Rows, head};
use qwen3_text::{Prefix, Tokens};

/// A loaded Qwen3-Reranker model.
///
/// It may be shared between threads: their batches are computed one after the other,
/// in the order in which they come.
pub struct Reranker {
    text: RerankerText,
    session: Session,
}

/// What one call of [`Reranker::rank`] or [`Reranker::score`] may choose.
#[derive(Clone, Debug, Default)]
pub struct RankOptions {
    /// What makes a document relevant, in a sentence; `None`: the official default.
    pub instruction: Option<String>,
    /// How many of the best to return; `None`: all.
    pub top_k: Option<usize>,
    /// Progress, and cancelling.
    pub hooks: Hooks,
}

/// How well a document answers a query.
#[derive(Clone, Copy, Debug, PartialEq)]
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
pub struct Ranked {
    /// Index among the documents given.
    pub index: usize,
    /// Its score.
    pub score: Score,
}

impl Reranker {
    /// Loads a model by hub id (`Qwen/Qwen3-Reranker-0.6B`), folder, the path
    /// of a file in it, or a file that [`crate::convert()`] wrote.
    ///
    /// # Errors
    /// If the model can't be found, downloaded or read, is no reranker, or if
    /// the device can't run it.
    pub fn load(model: &str, options: &Options) -> Result<Self, Error> {
        let checkpoint = Checkpoint::find(model, options)?;
        let text = RerankerText::of(&checkpoint, model, options)?;
        Ok(Self { text, session: Session::load(&checkpoint, options)? })
    }

    /// Documents by how well they answer `query`, best first; equal ones in
    /// the order given.
    ///
    /// # Errors
    /// If a text is invalid, the device fails, or the call is cancelled.
    pub fn rank<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[D],
        options: &RankOptions,
    ) -> Result<Vec<Ranked>, Error> {
        let pairs: Vec<_> = documents.iter().map(|document| (query, document.as_ref())).collect();
        let scores = self.score(&pairs, options)?.into_iter().enumerate();
        let mut ranked: Vec<_> = scores.map(|(index, score)| Ranked { index, score }).collect();
        // By log-odds: probabilities of good documents all round to 1.
        ranked.sort_by(|a, b| b.score.log_odds.total_cmp(&a.score.log_odds));
        ranked.truncate(options.top_k.unwrap_or(usize::MAX));
        Ok(ranked)
    }

    /// Scores of pairs of a query and a document, in their order; `top_k` has
    /// no effect.
    ///
    /// # Errors
    /// As [`Reranker::rank`].
    pub fn score<Q, D>(&self, pairs: &[(Q, D)], options: &RankOptions) -> Result<Vec<Score>, Error>
    where
        Q: AsRef<str> + Sync,
        D: AsRef<str> + Sync,
    {
        self.score_tokenized(&self.tokenize(pairs, options)?, options)
    }

    /// Scores of pairs that [`Reranker::tokenize`] prepared, in their order.
    ///
    /// # Errors
    /// If the device fails, or the call is cancelled.
    pub fn score_tokenized(
        &self,
        encoded: &[Tokens],
        options: &RankOptions,
    ) -> Result<Vec<Score>, Error> {
        let rows = self.session.rows(&ids(encoded), Rows::Last, &options.hooks)?;
        let score = |(row, encoded): (Vec<f32>, &Tokens)| {
            let log_odds = self.text.log_odds(&row);
            Score {
                score: head::probability(log_odds),
                log_odds,
                tokens: encoded.input_ids.len(),
                truncated: encoded.truncated,
            }
        };
        Ok(rows.into_iter().zip(encoded).map(score).collect())
    }

    /// The tokens of pairs with the template, for [`Reranker::score_tokenized`]: so
    /// that another thread can prepare the next pairs while a device computes.
    ///
    /// # Errors
    /// If a text is invalid, or the call is cancelled.
    pub fn tokenize<Q, D>(
        &self,
        pairs: &[(Q, D)],
        options: &RankOptions,
    ) -> Result<Vec<Tokens>, Error>
    where
        Q: AsRef<str> + Sync,
        D: AsRef<str> + Sync,
    {
        let limit = self.text.limit();
        let instruction = self.text.instruction_prefix(options.instruction.as_deref(), limit)?;
        let numbered: Vec<(usize, &(Q, D))> = pairs.iter().enumerate().collect();
        let of_one_query = |(_, (a, _)): &(usize, &(Q, D)), (_, (b, _)): &(usize, &(Q, D))| {
            let (a, b) = (a.as_ref(), b.as_ref());
            std::ptr::eq(a, b) || a == b
        };
        let queries: Vec<&[(usize, &(Q, D))]> = numbered.chunk_by(of_one_query).collect();
        let prefix = |pairs: &&[(usize, &(Q, D))]| {
            let (first, (query, _)) = pairs[0];
            let prefix = self.text.query_prefix(&instruction, query.as_ref(), limit);
            prefix.map_err(|reason| Error::Input { input: first, reason })
        };
        let prefixes = self.session.tokenize(&queries, &options.hooks, prefix)?;
        let of_query = queries.into_iter().zip(&prefixes);
        let prefixed: Vec<(&Prefix, usize, &D)> = of_query
            .flat_map(|(pairs, prefix)| {
                pairs.iter().map(move |(index, (_, document))| (prefix, *index, document))
            })
            .collect();
        let encode = |(prefix, index, document): &(&Prefix, usize, &D)| {
            let encoded = self.text.encode(prefix, document.as_ref(), limit);
            encoded.map_err(|reason| Error::Input { input: *index, reason })
        };
        self.session.tokenize(&prefixed, &options.hooks, encode)
    }

    /// `logit_yes − logit_no` after query and document without any template, as
    /// some published numbers are.
    pub(crate) fn plain_log_odds(&self, query: &str, document: &str) -> Result<f64, Error> {
        let ids = self.text.tokenize_plain(&[query, document])?;
        let rows = self.session.rows(&[&ids], Rows::Last, &Hooks::default())?;
        Ok(self.text.log_odds(&rows[0]))
    }

    /// Every stage of the forward pass; see [`crate::Embedder::stages`].
    ///
    /// # Errors
    /// As [`crate::Embedder::stages`].
    pub fn stages<S: AsRef<[u32]>>(
        &self,
        sequences: &[S],
        tokens: &[u32],
    ) -> Result<Vec<Recorded>, Error> {
        self.session.stages(sequences, tokens)
    }

    /// The tokens of a pair, with the template.
    ///
    /// # Errors
    /// As [`Reranker::rank`].
    pub fn tokenize_one(
        &self,
        query: &str,
        document: &str,
        options: &RankOptions,
    ) -> Result<Vec<u32>, Error> {
        let encoded = self.tokenize(&[(query, document)], options)?;
        Ok(encoded.into_iter().flat_map(|encoded| encoded.input_ids).collect())
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
}
