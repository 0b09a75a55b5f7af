//! Mini-batch k-means (Sculley 2010) as scikit-learn 1.9 does it, draw by draw and in its float32.

use super::k_means_start::{distance, start};
use crate::random::{RandomState, SEED};
use rayon::prelude::*;

const BATCH: usize = 512;
const PASSES: usize = 100;
/// Steps without a smaller inertia after which a run ends.
const PATIENCE: usize = 10;
/// Clusters with less than this part of the largest one's rows begin anew.
const REASSIGNED: f32 = 0.01;

/// The cluster of each row. There are at least as many rows as clusters, and one cluster.
pub(super) fn assignments(rows: &[&[f32]], clusters: usize) -> Vec<usize> {
    let mut random = RandomState::new(SEED);
    let batch = BATCH.min(rows.len());
    let init = if 3 * batch < clusters { 3 * clusters } else { 3 * batch }.min(rows.len());
    // scikit-learn draws rows to compare beginnings with, though it begins once.
    random.integers(rows.len(), init);
    let mut k_means = KMeans {
        centers: start(rows, clusters, init, &mut random),
        counts: vec![0.0; clusters],
        since_reassigned: 0,
    };
    let sums = even_sums(rows.len());
    let mut progress = Progress::default();
    for step in 0..PASSES * rows.len() / batch {
        let chosen: Vec<&[f32]> = (0..batch).map(|_| rows[random.weighted(&sums)]).collect();
        let inertia = k_means.step(&chosen, &mut random) / batch as f64;
        let weight = (batch as f64 * 2.0 / (rows.len() + 1) as f64).min(1.0);
        if step > 0 && progress.is_over(inertia, weight) {
            break;
        }
    }
    k_means.nearest(rows)
}

/// The sums of equal probabilities, which scikit-learn holds in float32, up to each row.
pub(super) fn even_sums(rows: usize) -> Vec<f64> {
    let each = f64::from(1.0 / rows as f32);
    let mut sum = 0.0;
    let sums = std::iter::repeat_with(|| {
        sum += each;
        sum
    });
    let sums: Vec<f64> = sums.take(rows).collect();
    sums.iter().map(|part| part / sums[rows - 1]).collect()
}

/// The running mean of the inertia.
#[derive(Default)]
struct Progress {
    mean: Option<f64>,
    least: Option<f64>,
    without: usize,
}

impl Progress {
    fn is_over(&mut self, inertia: f64, weight: f64) -> bool {
        let mean = self.mean.map_or(inertia, |mean| mean * (1.0 - weight) + inertia * weight);
        self.mean = Some(mean);
        if self.least.is_none_or(|least| mean < least) {
            (self.least, self.without) = (Some(mean), 0);
        } else {
            self.without += 1;
        }
        self.without >= PATIENCE
    }
}

struct KMeans {
    centers: Vec<Vec<f32>>,
    /// Rows that each center was made of.
    counts: Vec<f32>,
    since_reassigned: usize,
}

impl KMeans {
    /// Moves the centers towards a batch, and returns its inertia before that.
    fn step(&mut self, batch: &[&[f32]], random: &mut RandomState) -> f64 {
        self.since_reassigned += batch.len();
        let is_due = self.since_reassigned >= 10 * self.centers.len();
        let reassigns = is_due || self.counts.contains(&0.0);
        let nearest = self.nearest(batch);
        let inertia: f64 =
            batch.iter().zip(&nearest).map(|(row, &at)| distance(row, &self.centers[at])).sum();
        for (cluster, center) in self.centers.iter_mut().enumerate() {
            let of = batch.iter().zip(&nearest).filter(|(_, at)| **at == cluster);
            let members: Vec<&[f32]> = of.map(|(row, _)| *row).collect();
            update(center, &mut self.counts[cluster], &members);
        }
        if reassigns {
            self.since_reassigned = 0;
            self.reassign(batch, random);
        }
        f64::from(inertia as f32)
    }

    /// Puts centers that have hardly a row on random rows of the batch.
    fn reassign(&mut self, batch: &[&[f32]], random: &mut RandomState) {
        let largest = self.counts.iter().copied().fold(0.0, f32::max);
        let mut small: Vec<usize> = (0..self.counts.len()).collect();
        small.retain(|&cluster| self.counts[cluster] < REASSIGNED * largest);
        if small.len() > batch.len() / 2 {
            small.sort_by(|&a, &b| self.counts[a].total_cmp(&self.counts[b]));
            small.truncate(batch.len() / 2);
            small.sort_unstable();
        }
        if small.is_empty() {
            return;
        }
        let rows = random.distinct(batch.len(), small.len());
        let others = (0..self.counts.len()).filter(|cluster| !small.contains(cluster));
        let least = others.map(|cluster| self.counts[cluster]).fold(f32::INFINITY, f32::min);
        for (cluster, row) in small.into_iter().zip(rows) {
            self.centers[cluster].copy_from_slice(batch[row]);
            self.counts[cluster] = least;
        }
    }

    /// The nearest center of each row; of equally near ones the first.
    fn nearest(&self, rows: &[&[f32]]) -> Vec<usize> {
        let norms: Vec<f64> =
            self.centers.iter().map(|center| crate::vectors::dot(center, center)).collect();
        let nearest = |row: &&[f32]| {
            let of = |at: usize| norms[at] - 2.0 * crate::vectors::dot(row, &self.centers[at]);
            let (mut best, mut least) = (0, f64::INFINITY);
            for at in 0..norms.len() {
                let distance = of(at);
                if distance < least {
                    (best, least) = (at, distance);
                }
            }
            best
        };
        rows.par_iter().map(nearest).collect()
    }
}

/// The mean of all rows that a center was made of, in float32 and scikit-learn's order.
fn update(center: &mut [f32], count: &mut f32, members: &[&[f32]]) {
    if members.is_empty() {
        return;
    }
    center.iter_mut().for_each(|x| *x *= *count);
    for row in members {
        center.iter_mut().zip(*row).for_each(|(x, y)| *x += y);
    }
    *count += members.len() as f32;
    let scale = 1.0 / *count;
    center.iter_mut().for_each(|x| *x *= scale);
}
