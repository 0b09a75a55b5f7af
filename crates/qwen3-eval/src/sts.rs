//! Semantic textual similarity: do vectors agree with people on how alike two texts are?

use crate::correlation::{check_differ, pearson, spearman};
use crate::error::same_count;
use crate::vectors::Similarities;
use crate::{Error, Vectors};
use serde::Serialize;

/// What mteb reports of an STS task. Its main score is `cosine_spearman`; `pearson` and `spearman`
/// are of the model's own similarity, which is the cosine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "mteb's names")]
pub struct StsScores {
    pub pearson: f64,
    pub spearman: f64,
    pub cosine_pearson: f64,
    pub cosine_spearman: f64,
    pub manhattan_pearson: f64,
    pub manhattan_spearman: f64,
    pub euclidean_pearson: f64,
    pub euclidean_spearman: f64,
    /// mteb doesn't report the dot product.
    pub dot_pearson: f64,
    pub dot_spearman: f64,
}

/// Correlates the similarities of pairs with the scores that people gave.
///
/// # Errors
/// If the lists don't belong together, a score is not finite, or all scores or all
/// similarities are the same.
pub fn sts(left: &Vectors, right: &Vectors, gold: &[f64]) -> Result<StsScores, Error> {
    same_count("gold scores", gold.len(), left.len())?;
    let of = Similarities::of_pairs(left, right)?;
    let correlations = |similarities: &[f64]| {
        check_differ("similarities", similarities)?;
        Ok::<_, Error>((pearson(gold, similarities)?, spearman(gold, similarities)?))
    };
    let (cosine_pearson, cosine_spearman) = correlations(&of.cosine)?;
    let (manhattan_pearson, manhattan_spearman) = correlations(&of.manhattan)?;
    let (euclidean_pearson, euclidean_spearman) = correlations(&of.euclidean)?;
    let (dot_pearson, dot_spearman) = correlations(&of.dot)?;
    Ok(StsScores {
        pearson: cosine_pearson,
        spearman: cosine_spearman,
        cosine_pearson,
        cosine_spearman,
        manhattan_pearson,
        manhattan_spearman,
        euclidean_pearson,
        euclidean_spearman,
        dot_pearson,
        dot_spearman,
    })
}
