//! What dtypes cost in accuracy: a model's vectors or scores in each, beside float32.

use crate::error::Error;
use comfy_table::{Table, presets};
use qwen3_engine::{
    Checkpoint, DeviceId, Dtype, Embedder, EncodeOptions, Kind, Options, RankOptions, Reranker,
    Similarity,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// How long the list of a text's nearest others is.
const NEAREST: usize = 10;
/// Documents that a reranker puts in order for each query.
const DOCUMENTS: usize = 25;

/// One dtype beside float32.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// As options call it.
    pub dtype: String,
    /// Of a text's two vectors, on average; `None`: a reranker has none.
    pub mean_cosine: Option<f64>,
    /// The worst of all texts.
    pub min_cosine: Option<f64>,
    /// Of the ten nearest texts of each, how many are among the ten in float32; of a
    /// reranker's pairs of documents, how many come in the same order.
    pub order_kept: f64,
}

/// Computes all `texts` in each dtype. Of a reranker every 26th is a query, those behind it
/// are its documents.
///
/// # Errors
/// If the model doesn't load or compute.
pub fn costs(
    checkpoint: &Checkpoint,
    device: DeviceId,
    dtypes: &[Dtype],
    texts: &[String],
) -> Result<Vec<Cost>, Error> {
    let options = |dtype: Dtype| Options::default().device(device).dtype(dtype);
    if checkpoint.kind() == Kind::Embedding {
        let exact = vectors(checkpoint, &options(Dtype::F32), texts)?;
        let of = |dtype: &Dtype| {
            Ok(of_vectors(*dtype, &exact, &vectors(checkpoint, &options(*dtype), texts)?))
        };
        return dtypes.iter().map(of).collect();
    }
    let exact = scores(checkpoint, &options(Dtype::F32), texts)?;
    let of = |dtype: &Dtype| {
        let found = scores(checkpoint, &options(*dtype), texts)?;
        let order_kept = same_order(&exact, &found);
        let dtype = dtype.to_string();
        Ok(Cost { dtype, mean_cosine: None, min_cosine: None, order_kept })
    };
    dtypes.iter().map(of).collect()
}

/// As a table in Markdown.
pub fn table(costs: &[Cost]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["dtype", "mean cosine", "min cosine", "order kept"]);
    let number = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:.5}"));
    for cost in costs {
        let kept = format!("{:.1} %", 100.0 * cost.order_kept);
        let (mean, min) = (number(cost.mean_cosine), number(cost.min_cosine));
        table.add_row([cost.dtype.clone(), mean, min, kept]);
    }
    table.to_string()
}

fn vectors(
    checkpoint: &Checkpoint,
    options: &Options,
    texts: &[String],
) -> Result<Vec<Vec<f32>>, Error> {
    let model = Embedder::from_checkpoint(checkpoint, options)?;
    let embeddings = model.encode(texts, &EncodeOptions::default())?;
    Ok(embeddings.into_iter().map(|embedding| embedding.vector).collect())
}

fn of_vectors(dtype: Dtype, exact: &[Vec<f32>], found: &[Vec<f32>]) -> Cost {
    let cosines: Vec<f64> =
        exact.iter().zip(found).map(|(a, b)| Similarity::Cosine.of(a, b)).collect();
    let kept = (0..exact.len())
        .map(|index| nearest(exact, index).intersection(&nearest(found, index)).count())
        .sum::<usize>();
    let listed = exact.len() * NEAREST.min(exact.len().saturating_sub(1));
    Cost {
        dtype: dtype.to_string(),
        mean_cosine: Some(cosines.iter().sum::<f64>() / cosines.len() as f64),
        min_cosine: cosines.into_iter().reduce(f64::min),
        order_kept: kept as f64 / listed.max(1) as f64,
    }
}

/// The texts nearest to one of them.
fn nearest(vectors: &[Vec<f32>], index: usize) -> BTreeSet<usize> {
    let others = (0..vectors.len()).filter(|other| *other != index);
    let mut others: Vec<(f64, usize)> = others
        .map(|other| (Similarity::Cosine.of(&vectors[index], &vectors[other]), other))
        .collect();
    others.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    others.into_iter().take(NEAREST).map(|(_, other)| other).collect()
}

/// The log-odds of the documents of each query.
fn scores(
    checkpoint: &Checkpoint,
    options: &Options,
    texts: &[String],
) -> Result<Vec<Vec<f64>>, Error> {
    let model = Reranker::from_checkpoint(checkpoint, options)?;
    let of_query = |group: &[String]| {
        let (query, documents) = group.split_first().expect("chunks have a text");
        let pairs = documents.iter().map(|document| (query, document));
        let scores = model.score(pairs, &RankOptions::default())?;
        Ok(scores.into_iter().map(|score| score.log_odds).collect())
    };
    texts.chunks(1 + DOCUMENTS).map(of_query).collect()
}

/// The share of pairs of documents whose order is the same; ties count as a half.
fn same_order(exact: &[Vec<f64>], found: &[Vec<f64>]) -> f64 {
    let (mut pairs, mut same) = (0.0, 0.0);
    for (exact, found) in exact.iter().zip(found) {
        for first in 0..exact.len() {
            for second in first + 1..exact.len() {
                let expected = exact[first].total_cmp(&exact[second]);
                let order = found[first].total_cmp(&found[second]);
                pairs += 1.0;
                same += match (expected == order, expected.is_eq() || order.is_eq()) {
                    (true, _) => 1.0,
                    (false, true) => 0.5,
                    (false, false) => 0.0,
                };
            }
        }
    }
    if pairs > 0.0 { same / pairs } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_vectors_lose_nothing_and_others_do() {
        let around = |turn: fn(usize) -> usize| -> Vec<Vec<f32>> {
            let angles = (0..30).map(|i| turn(i) as f32);
            angles.map(|angle| vec![angle.sin(), angle.cos(), 0.3]).collect()
        };
        let vectors = around(|i| i);
        let same = of_vectors(Dtype::F32, &vectors, &vectors);
        assert!(same.min_cosine > Some(1.0 - 1e-12) && same.order_kept == 1.0, "{same:?}");
        let other = of_vectors(Dtype::F32, &vectors, &around(|i| i * i));
        assert!(other.order_kept < 0.9 && other.mean_cosine.unwrap() < 0.9, "{other:?}");
    }

    #[test]
    fn order_is_counted_in_pairs() {
        let exact = [vec![3.0, 2.0, 1.0]];
        assert_eq!(same_order(&exact, &[vec![30.0, 20.0, 10.0]]), 1.0);
        assert_eq!(same_order(&exact, &[vec![1.0, 2.0, 3.0]]), 0.0);
        assert_eq!(same_order(&exact, &[vec![2.0, 3.0, 1.0]]), 2.0 / 3.0);
        assert_eq!(same_order(&exact, &[vec![2.0, 2.0, 1.0]]), 2.5 / 3.0);
    }
}
