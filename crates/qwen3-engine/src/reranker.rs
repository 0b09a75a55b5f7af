//! Pairs of a query and a document to scores.

use crate::checkpoint::Checkpoint;
use crate::device::{DeviceId, Fallback};
use crate::embedder::{ids, max_tokens};
use crate::error::Error;
use crate::options::{Kind, Options};
use crate::progress::Hooks;
use crate::session::Session;
use qwen3::{Dtype, Recorded, Rows, ScoreHead, head};
use qwen3_text::{DEFAULT_TASK, Encoded, Limit, RerankTokenizer, SpecialTokens};
use rayon::prelude::*;

/// The model card's limit; the model itself takes more.
const USUAL_MAX_TOKENS: usize = 8_192;

/// A loaded Qwen3-Reranker model.
///
/// It may be shared between threads; calls on one device run one after the other.
pub struct Reranker {
    session: Session,
    tokenizer: RerankTokenizer,
    head: ScoreHead,
    limit: Limit,
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
        let (config, weights) = (&checkpoint.config, &checkpoint.weights);
        let special_tokens = options.special_tokens.unwrap_or(SpecialTokens::Literal);
        let tokenizer = RerankTokenizer::from_json(
            &checkpoint.needed("tokenizer.json")?,
            &checkpoint.path_of("tokenizer.json"),
            special_tokens,
        )?;
        let head = match checkpoint.kind {
            Kind::Reranker => {
                let (yes, no) = (tokenizer.yes_token_id(), tokenizer.no_token_id());
                ScoreHead::yes_no(weights, config, yes, no)?
            }
            Kind::SequenceClassification => ScoreHead::sequence_classification(weights, config)?,
            Kind::Embedding => {
                return Err(Error::WrongKind {
                    model: model.to_owned(),
                    found: checkpoint.kind,
                    wanted: "a reranker",
                });
            }
        };
        let max_tokens =
            max_tokens(options.max_tokens, USUAL_MAX_TOKENS, config.max_position_embeddings)?;
        let session = Session::load(&checkpoint, options)?;
        let limit = Limit { max_tokens, truncate: options.truncate };
        Ok(Self { session, tokenizer, head, limit })
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
        let encoded = self.tokenize(pairs, options)?;
        let rows = self.session.rows(&ids(&encoded), Rows::Last, &options.hooks)?;
        let score = |(row, encoded): (Vec<f32>, Encoded)| {
            let log_odds = self.head.log_odds(&row);
            Score {
                score: head::probability(log_odds),
                log_odds,
                tokens: encoded.input_ids.len(),
                truncated: encoded.truncated,
            }
        };
        Ok(rows.into_iter().zip(encoded).map(score).collect())
    }

    /// `logit_yes − logit_no` after query and document without any template, as
    /// some published numbers are.
    pub(crate) fn plain_log_odds(&self, query: &str, document: &str) -> Result<f64, Error> {
        let ids = self.tokenizer.encode_plain(&[query, document])?;
        let rows = self.session.rows(&[&ids], Rows::Last, &Hooks::default())?;
        Ok(self.head.log_odds(&rows[0]))
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

    /// Where the model runs.
    pub fn device(&self) -> DeviceId {
        self.session.device()
    }

    /// Devices that `auto` passed over, and why.
    pub fn fallbacks(&self) -> &[Fallback] {
        self.session.fallbacks()
    }

    /// Precision of the weights in memory.
    pub fn dtype(&self) -> Dtype {
        self.session.dtype()
    }

    fn tokenize<Q, D>(&self, pairs: &[(Q, D)], options: &RankOptions) -> Result<Vec<Encoded>, Error>
    where
        Q: AsRef<str> + Sync,
        D: AsRef<str> + Sync,
    {
        let instruction = options.instruction.as_deref().unwrap_or(DEFAULT_TASK);
        let encode = |(index, (query, document)): (usize, &(Q, D))| {
            options.hooks.check()?;
            let (query, document) = (query.as_ref(), document.as_ref());
            let encoded = self.tokenizer.encode(instruction, query, document, self.limit);
            encoded.map_err(|reason| Error::Input { input: index, reason })
        };
        self.session.install(|| pairs.par_iter().enumerate().map(encode).collect())
    }
}
