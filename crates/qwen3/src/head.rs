//! What is done with pooled rows: unit vectors for embeddings, one number for
//! rerankers. On the host, in float64: a few thousand numbers per text.

use crate::config::Config;
use crate::error::Error;
use crate::weights::Weights;

/// Cuts `row` to its first `dimensions` (Matryoshka representation learning,
/// Kusupati et al. 2022, arXiv:2205.13147) and, if asked, scales what is left
/// to length 1. In this order: a cut unit vector is no unit vector.
pub fn embedding(mut row: Vec<f32>, dimensions: usize, normalize: bool) -> Vec<f32> {
    row.truncate(dimensions);
    if normalize {
        let norm = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        // As torch.nn.functional.normalize: a zero vector stays zero.
        let norm = norm.max(1e-12);
        row.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
    }
    row
}

/// `1 / (1 + exp(-log_odds))`
pub fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The rows of the output head for "yes" and "no", `[2, C]`, in files that keep
/// only these two, or keep them in more precision than the embedding table.
pub const YES_NO: &str = "yes_no.weight";

/// The reranker's head: the difference of the output head's rows for "yes" and
/// "no", or `score.weight`, which is that difference stored.
///
/// `softmax([no, yes])[yes] = sigmoid(logit_yes − logit_no)`, so two rows of
/// the 151,669 are enough.
#[derive(Clone, Debug)]
pub struct ScoreHead {
    weight: Vec<f64>,
}

impl ScoreHead {
    /// From [`YES_NO`] where it is there, else from `lm_head.weight`, or from
    /// the embedding table where they are tied.
    ///
    /// # Errors
    /// If the tensor is missing or misshapen, or an id is outside of it.
    pub fn yes_no(weights: &Weights, config: &Config, yes: u32, no: u32) -> Result<Self, Error> {
        let [yes, no] = yes_no_rows(weights, config, yes, no)?;
        let difference = yes.iter().zip(no).map(|(&yes, no)| f64::from(yes) - f64::from(no));
        Ok(Self { weight: difference.collect() })
    }

    /// From `score.weight` of `Qwen3ForSequenceClassification`.
    ///
    /// # Errors
    /// If the tensor is missing or has more than one row.
    pub fn sequence_classification(weights: &Weights, config: &Config) -> Result<Self, Error> {
        let row = weights.row("score.weight", [1, config.hidden_size], 0)?;
        Ok(Self { weight: row.into_iter().map(f64::from).collect() })
    }

    /// `logit_yes − logit_no` of a pooled row `[C]`.
    pub fn log_odds(&self, row: &[f32]) -> f64 {
        self.weight.iter().zip(row).map(|(weight, &x)| weight * f64::from(x)).sum()
    }
}

/// The rows of the output head for the tokens `yes` and `no`, `[C]` each; see
/// [`ScoreHead::yes_no`].
///
/// # Errors
/// As [`ScoreHead::yes_no`].
pub fn yes_no_rows(
    weights: &Weights,
    config: &Config,
    yes: u32,
    no: u32,
) -> Result<[Vec<f32>; 2], Error> {
    let width = config.hidden_size;
    let (name, rows, yes, no) = match (weights.contains(YES_NO), config.tie_word_embeddings) {
        (true, _) => (YES_NO, 2, 0, 1),
        (false, true) => ("embed_tokens.weight", config.vocab_size, yes, no),
        (false, false) => ("lm_head.weight", config.vocab_size, yes, no),
    };
    Ok([weights.row(name, [rows, width], yes)?, weights.row(name, [rows, width], no)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_cut_before_it_is_normalised() {
        assert_eq!(embedding(vec![3.0, 4.0, 12.0], 2, true), [0.6, 0.8]);
        assert_eq!(embedding(vec![3.0, 4.0, 12.0], 2, false), [3.0, 4.0]);
        assert_eq!(embedding(vec![0.0, 0.0], 2, true), [0.0, 0.0]);
    }

    #[test]
    fn log_odds_become_a_probability_once() {
        assert_eq!(probability(0.0), 0.5);
        // The published log-odds and score of Qwen3-Reranker-0.6B.
        assert!((probability(7.120389938354492) - 0.9992).abs() < 5e-5);
        assert!((probability(-3.109297752380371) - 0.0427).abs() < 5e-5);
        assert_eq!((probability(1e4), probability(-1e4)), (1.0, 0.0));
    }
}
