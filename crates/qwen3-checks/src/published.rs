//! Numbers that others published of the real weights (`published.json`), with where
//! they stand and how far a right implementation may be off: for users who have the
//! weights.

use crate::Error;
use qwen3_engine::internals::called;
use qwen3_engine::{
    Checkpoint, DeviceId, Dtype, Embedder, EncodeOptions, Hooks, Kind, Options, Prompt,
    RankOptions, Reranker, Rows, Similarity, probability,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::LazyLock;

/// What was published of one model.
#[derive(Debug, Deserialize)]
pub struct Published {
    /// Its hub id.
    pub model: String,
    kind: String,
    hidden_size: usize,
    num_hidden_layers: usize,
    /// SHA-256 of its files of weights by their names, where a public source states it.
    sha256: BTreeMap<String, String>,
    checks: Vec<Numbers>,
}

/// Numbers of one source.
#[derive(Debug, Deserialize)]
struct Numbers {
    #[serde(flatten)]
    quantity: Quantity,
    source: String,
    /// How far off, in float32 and in 16 bits.
    tolerance: [f64; 2],
}

/// What was computed, and the numbers that came out.
#[derive(Debug, Deserialize)]
#[serde(tag = "quantity", rename_all = "snake_case")]
enum Quantity {
    /// Cosines of queries, a row each, with documents.
    Similarity { queries: Vec<String>, documents: Vec<String>, expected: Vec<Vec<f64>> },
    /// The first numbers of each text's last hidden state.
    HiddenState { texts: Vec<String>, expected: Vec<Vec<f64>> },
    /// The length of each text's last hidden state.
    HiddenStateNorm { texts: Vec<String>, expected: Vec<f64> },
    /// The cosine of two texts in fewer and fewer dimensions.
    CutSimilarity { texts: [String; 2], dimensions: Vec<usize>, expected: Vec<f64> },
    /// The first numbers of a query's vector.
    QueryVector { query: String, expected: Vec<f64> },
    /// `logit_yes − logit_no` of pairs of a query and a document.
    LogOdds { pairs: Vec<[String; 2]>, expected: Vec<f64> },
    /// Probabilities of "yes", with the official instruction or another.
    Score { pairs: Vec<[String; 2]>, instruction: Option<String>, expected: Vec<f64> },
    /// The same after query and document without any template.
    PlainScore { pairs: Vec<[String; 2]>, expected: Vec<f64> },
}

/// A published number, and what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was computed.
    pub what: String,
    /// Where the number stands.
    pub source: String,
    /// The published number.
    pub expected: f64,
    /// The number found.
    pub found: f64,
    /// How far it may be off.
    pub tolerance: f64,
}

impl Check {
    /// Whether the number is right; NaN is not.
    pub fn ok(&self) -> bool {
        (self.found - self.expected).abs() <= self.tolerance
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, source, expected, found, tolerance } = self;
        write!(f, "{what}: {found:.6}, published {expected} ± {tolerance} ({source})")
    }
}

/// The six published models.
pub fn models() -> &'static [Published] {
    static MODELS: LazyLock<Vec<Published>> = LazyLock::new(|| {
        serde_json::from_str(include_str!("../published.json")).expect("a test reads it")
    });
    &MODELS
}

/// The model that has a file of weights with this SHA-256.
pub fn model_with_file(sha256: &str) -> Option<&'static Published> {
    models().iter().find(|model| model.sha256.values().any(|known| known == sha256))
}

impl Published {
    /// The model that a checkpoint has the shape of.
    pub fn with_shape_of(checkpoint: &Checkpoint) -> Option<&'static Self> {
        let config = checkpoint.config();
        let kind = if checkpoint.kind() == Kind::Embedding { "embedding" } else { "reranker" };
        models().iter().find(|model| {
            let shape = (model.hidden_size, model.num_hidden_layers);
            model.kind == kind && shape == (config.hidden_size, config.num_hidden_layers)
        })
    }

    /// Whether a model goes by this one's name: its hub id, a snapshot in the
    /// hub's cache, or a folder or file named for it.
    pub fn is_called(&self, model: &str, path: &Path) -> bool {
        let name = self.model.rsplit('/').next().unwrap_or(&self.model);
        let snapshot = format!("models--{}", self.model.replace('/', "--"));
        let folder = called(path);
        model == self.model || folder == snapshot || folder == name
    }

    /// Computes everything that was published of the model.
    ///
    /// # Errors
    /// If the checkpoint doesn't load or compute on this device.
    pub fn check(
        &self,
        checkpoint: &Checkpoint,
        device: DeviceId,
        dtype: Dtype,
    ) -> Result<Vec<Check>, Error> {
        let options = Options::default().device(device).dtype(dtype);
        let model = match checkpoint.kind() {
            Kind::Embedding => Model::Embedder(Embedder::from_checkpoint(checkpoint, &options)?),
            _ => Model::Reranker(Reranker::from_checkpoint(checkpoint, &options)?),
        };
        let is_half = usize::from(dtype != Dtype::F32);
        let mut checks = vec![];
        for Numbers { quantity, source, tolerance } in &self.checks {
            let numbers = model.compute(quantity)?;
            checks.extend(numbers.into_iter().map(|(what, expected, found)| Check {
                what,
                source: source.clone(),
                expected,
                found,
                tolerance: tolerance[is_half],
            }));
        }
        Ok(checks)
    }
}

/// What a number is, the published one, and the one found.
type Number = (String, f64, f64);

enum Model {
    Embedder(Embedder),
    Reranker(Reranker),
}

impl Model {
    fn compute(&self, quantity: &Quantity) -> Result<Vec<Number>, Error> {
        match self {
            Self::Embedder(model) => of_vectors(model, quantity),
            Self::Reranker(model) => of_scores(model, quantity),
        }
    }
}

fn of_vectors(model: &Embedder, quantity: &Quantity) -> Result<Vec<Number>, Error> {
    let options = EncodeOptions::default();
    let states = |texts: &[String]| model.encode(texts, &options.clone().normalize(false));
    let mut numbers = vec![];
    match quantity {
        Quantity::Similarity { queries, documents, expected } => {
            let queries = model.encode_query(queries, &options)?;
            let documents = model.encode_document(documents, &options)?;
            let found = Similarity::Cosine.matrix(&queries, &documents)?;
            numbers.extend(similarities(expected, &found));
        }
        Quantity::HiddenState { texts, expected } => {
            for ((text, found), expected) in texts.iter().zip(states(texts)?).zip(expected) {
                let what = format!("of the hidden state of `{text}`");
                numbers.extend(first_numbers(&what, expected, &found.vector));
            }
        }
        Quantity::HiddenStateNorm { texts, expected } => {
            for ((text, found), &expected) in texts.iter().zip(states(texts)?).zip(expected) {
                let what = format!("norm of the hidden state of `{text}`");
                numbers.push((what, expected, norm(&found.vector)));
            }
        }
        Quantity::CutSimilarity { texts: [left, right], dimensions, expected } => {
            for (&dimensions, &expected) in dimensions.iter().zip(expected) {
                let cut = options.clone().dimensions(dimensions);
                let found = model.encode([left, right], &cut)?;
                let found = Similarity::Cosine.of(&found[0].vector, &found[1].vector);
                let what = format!("cosine of `{left}` and `{right}` in {dimensions} dimensions");
                numbers.push((what, expected, found));
            }
        }
        Quantity::QueryVector { query, expected } => {
            let found = model.encode_one(query, &options.prompt(Prompt::Query))?;
            numbers.extend(first_numbers(
                &format!("of the query `{query}`"),
                expected,
                &found.vector,
            ));
        }
        Quantity::LogOdds { .. } | Quantity::Score { .. } | Quantity::PlainScore { .. } => {
            unreachable!("a test looks that embedding models have none")
        }
    }
    Ok(numbers)
}

/// Queries and documents are counted from 1.
fn similarities(expected: &[Vec<f64>], found: &[Vec<f64>]) -> Vec<Number> {
    let mut numbers = vec![];
    for (query, (expected, found)) in (1..).zip(expected.iter().zip(found)) {
        for (document, (&expected, &found)) in (1..).zip(expected.iter().zip(found)) {
            let what = format!("similarity of query {query} and document {document}");
            numbers.push((what, expected, found));
        }
    }
    numbers
}

fn norm(vector: &[f32]) -> f64 {
    vector.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

fn first_numbers(what: &str, expected: &[f64], found: &[f32]) -> Vec<Number> {
    let numbers = expected.iter().zip(found).enumerate();
    numbers
        .map(|(index, (&expected, &found))| {
            (format!("number {index} {what}"), expected, f64::from(found))
        })
        .collect()
}

fn of_scores(model: &Reranker, quantity: &Quantity) -> Result<Vec<Number>, Error> {
    let as_texts = |[query, document]: &[String; 2]| (query.clone(), document.clone());
    let score = |pairs: &[[String; 2]], options: &RankOptions| {
        model.score(pairs.iter().map(as_texts), options)
    };
    let (what, pairs, expected, found): (_, _, _, Vec<f64>) = match quantity {
        Quantity::LogOdds { pairs, expected } => {
            let scores = score(pairs, &RankOptions::default())?;
            let found = scores.iter().map(|score| score.log_odds).collect();
            ("log-odds", pairs, expected, found)
        }
        Quantity::Score { pairs, instruction, expected } => {
            let mut options = RankOptions::default();
            options.instruction.clone_from(instruction);
            let found = score(pairs, &options)?.iter().map(|score| score.score).collect();
            ("score", pairs, expected, found)
        }
        Quantity::PlainScore { pairs, expected } => {
            let found = pairs.iter().map(|pair| plain_score(model, pair));
            ("score without a template", pairs, expected, found.collect::<Result<_, _>>()?)
        }
        _ => unreachable!("a test looks that rerankers have no others"),
    };
    let numbers = pairs.iter().zip(expected).zip(found);
    let number = |((pair, &expected), found): ((&[String; 2], &f64), f64)| {
        (format!("{what} of `{}`", pair[1]), expected, found)
    };
    Ok(numbers.map(number).collect())
}

fn plain_score(model: &Reranker, [query, document]: &[String; 2]) -> Result<f64, Error> {
    let ids = model.host().tokenize_plain(&[query, document]).map_err(qwen3_engine::Error::from)?;
    let rows = model.session().rows(&[&ids], Rows::Last, &Hooks::default())?;
    Ok(probability(model.host().log_odds(&rows[0])))
}

#[cfg(test)]
mod tests;
