//! What is done with pooled rows: unit vectors for embeddings, one number for
//! rerankers. On the host, in float64: a few thousand numbers per text.

use crate::config::Config;
use crate::error::Error;
use crate::names::EMBEDDING_TABLE;
pub use crate::names::{HEADS, YES_NO};
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

/// Whether all of `rows` `[C]` are numbers that something can be computed from:
/// none is NaN or infinite, and no row is nothing but zeros, which is what a
/// norm makes of a sum of squares that overflowed.
pub fn are_usable(rows: &[f32], width: usize) -> bool {
    let is_usable =
        |row: &[f32]| row.iter().all(|x| x.is_finite()) && row.iter().any(|&x| x != 0.0);
    rows.chunks(width).all(is_usable)
}

/// `1 / (1 + exp(-log_odds))`
pub fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The output head.
const LM_HEAD: &str = "lm_head.weight";

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
    /// From [`YES_NO`] where it is there, else from `lm_head.weight`, else from
    /// the embedding table where they are tied. Without `no` the score is the
    /// logit of `yes` alone.
    ///
    /// # Errors
    /// If the tensor is missing or misshapen or holds NaN or infinity there,
    /// or an id is outside of it.
    pub fn yes_no(
        weights: &Weights,
        config: &Config,
        yes: u32,
        no: Option<u32>,
    ) -> Result<Self, Error> {
        let [yes, no] = yes_no_rows(weights, config, yes, no)?;
        let difference = yes.iter().zip(no).map(|(&yes, no)| f64::from(yes) - f64::from(no));
        Ok(Self { weight: difference.collect() })
    }

    /// From `score.weight` of `Qwen3ForSequenceClassification`.
    ///
    /// # Errors
    /// If the tensor is missing, has more than one row, or holds NaN or infinity.
    pub fn sequence_classification(weights: &Weights, config: &Config) -> Result<Self, Error> {
        let row = weights.row("score.weight", [1, config.hidden_size], 0)?;
        Ok(Self { weight: row.into_iter().map(f64::from).collect() })
    }

    /// `logit_yes − logit_no` of a pooled row `[C]`. It is finite where the row
    /// is: the head is, and products of two float32 are far from float64's end.
    pub fn log_odds(&self, row: &[f32]) -> f64 {
        self.weight.iter().zip(row).map(|(weight, &x)| weight * f64::from(x)).sum()
    }
}

/// The rows of the output head for the tokens `yes` and `no`, `[C]` each, the
/// second of zeros without `no`; see [`ScoreHead::yes_no`].
///
/// # Errors
/// As [`ScoreHead::yes_no`].
pub fn yes_no_rows(
    weights: &Weights,
    config: &Config,
    yes: u32,
    no: Option<u32>,
) -> Result<[Vec<f32>; 2], Error> {
    let width = config.hidden_size;
    if weights.contains(YES_NO) {
        return Ok([weights.row(YES_NO, [2, width], 0)?, weights.row(YES_NO, [2, width], 1)?]);
    }
    // A head that is in the file was trained, whatever config.json says of ties:
    // so Transformers has it from version 5 on. One that is the table is the same.
    let is_table = config.tie_word_embeddings && !weights.contains(LM_HEAD);
    let name = if is_table { EMBEDDING_TABLE } else { LM_HEAD };
    let row = |id| weights.row(name, [config.vocab_size, width], id);
    Ok([row(yes)?, no.map_or_else(|| Ok(vec![0.0; width]), row)?])
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
    fn rows_that_hold_no_vector_are_told() {
        assert!(are_usable(&[0.0, 1.0, -1.0, 0.0], 2));
        for rows in [[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, -0.0], [1.0, f32::NAN, 1.0, 1.0]] {
            assert!(!are_usable(&rows, 2), "{rows:?}");
        }
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
