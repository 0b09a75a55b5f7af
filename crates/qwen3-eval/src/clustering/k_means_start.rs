//! k-means++ (Arthur and Vassilvitskii 2007), with several tries for each center.

use super::k_means::even_sums;
use crate::random::RandomState;
use rayon::prelude::*;

/// Centers to begin with, from `init` random rows.
pub(super) fn start(
    rows: &[&[f32]],
    clusters: usize,
    init: usize,
    random: &mut RandomState,
) -> Vec<Vec<f32>> {
    let sampled: Vec<&[f32]> = if init < rows.len() {
        random.integers(rows.len(), init).into_iter().map(|row| rows[row]).collect()
    } else {
        rows.to_vec()
    };
    let first = random.weighted(&even_sums(sampled.len()));
    let mut centers = vec![sampled[first].to_vec()];
    let mut closest = distances(&sampled, sampled[first]);
    let tries = 2 + (clusters as f64).ln() as usize;
    while centers.len() < clusters {
        let (row, distances) = best_try(&sampled, &closest, tries, random);
        centers.push(sampled[row].to_vec());
        closest = distances;
    }
    centers
}

/// Of some random rows, far ones the likelier, the one that leaves the least distance to all.
fn best_try(
    rows: &[&[f32]],
    closest: &[f32],
    tries: usize,
    random: &mut RandomState,
) -> (usize, Vec<f32>) {
    let total = f64::from(total(closest));
    let mut sum = 0.0_f32;
    let add = |distance: &f32| {
        sum += distance;
        f64::from(sum)
    };
    let sums: Vec<f64> = closest.iter().map(add).collect();
    let drawn: Vec<f64> = (0..tries).map(|_| random.uniform() * total).collect();
    let row_at = |at: f64| sums.partition_point(|sum| *sum < at).min(rows.len() - 1);
    let mut best: Option<(f32, usize, Vec<f32>)> = None;
    for row in drawn.into_iter().map(row_at) {
        let mut nearer = distances(rows, rows[row]);
        nearer.iter_mut().zip(closest).for_each(|(new, old)| *new = new.min(*old));
        let left = self::total(&nearer);
        if best.as_ref().is_none_or(|(least, ..)| left < *least) {
            best = Some((left, row, nearer));
        }
    }
    best.map(|(_, row, nearer)| (row, nearer)).expect("there are at least two tries")
}

fn total(distances: &[f32]) -> f32 {
    distances.iter().map(|distance| f64::from(*distance)).sum::<f64>() as f32
}

/// Squared, computed in float64 and held in float32.
fn distances(rows: &[&[f32]], center: &[f32]) -> Vec<f32> {
    rows.par_iter().map(|row| distance(row, center) as f32).collect()
}

/// The squared distance.
pub(super) fn distance(a: &[f32], b: &[f32]) -> f64 {
    let differences = a.iter().zip(b).map(|(x, y)| f64::from(*x) - f64::from(*y));
    differences.map(|difference| difference * difference).sum()
}
