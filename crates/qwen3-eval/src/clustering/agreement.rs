//! How far clusters and labels tell each other.

use std::collections::BTreeMap;

/// The V-measure (Rosenberg and Hirschberg 2007) and the adjusted mutual information (Vinh et al. 2010)
/// of labels and clusters, as scikit-learn computes them.
pub(super) fn agreement(labels: &[i64], clusters: &[usize]) -> (f64, f64) {
    let mut cells: BTreeMap<(i64, usize), usize> = BTreeMap::new();
    labels
        .iter()
        .zip(clusters)
        .for_each(|(label, cluster)| *cells.entry((*label, *cluster)).or_default() += 1);
    let (mut of_labels, mut of_clusters) = (BTreeMap::new(), BTreeMap::new());
    for ((label, cluster), count) in &cells {
        *of_labels.entry(*label).or_default() += *count;
        *of_clusters.entry(*cluster).or_default() += *count;
    }
    let total = labels.len();
    let a: Vec<usize> = of_labels.values().copied().collect();
    let b: Vec<usize> = of_clusters.values().copied().collect();
    let (of_a, of_b) = (entropy(&a, total), entropy(&b, total));
    let shared = if a.len() == 1 || b.len() == 1 {
        0.0
    } else {
        let of = |((label, cluster), count): (&(i64, usize), &usize)| {
            let part = *count as f64 / total as f64;
            let outer = (of_labels[label] * of_clusters[cluster]) as f64;
            part * ((*count as f64).ln() + (total as f64).ln() - outer.ln())
        };
        cells.iter().map(of).sum::<f64>().max(0.0)
    };
    (v_measure(shared, of_a, of_b), adjusted(shared, (&a, of_a), (&b, of_b), total))
}

fn entropy(counts: &[usize], total: usize) -> f64 {
    if counts.len() == 1 {
        return 0.0;
    }
    let total = total as f64;
    -counts.iter().map(|&n| n as f64 / total * ((n as f64).ln() - total.ln())).sum::<f64>()
}

fn v_measure(shared: f64, of_labels: f64, of_clusters: f64) -> f64 {
    let part = |of: f64| if of == 0.0 { 1.0 } else { shared / of };
    let (homogeneity, completeness) = (part(of_labels), part(of_clusters));
    let sum = homogeneity + completeness;
    if sum == 0.0 { 0.0 } else { 2.0 * homogeneity * completeness / sum }
}

fn adjusted(shared: f64, a: (&[usize], f64), b: (&[usize], f64), total: usize) -> f64 {
    if a.0.len() == 1 && b.0.len() == 1 {
        return 1.0;
    }
    if a.0.len() == 1 || b.0.len() == 1 {
        return 0.0;
    }
    let expected = expected(a.0, b.0, total);
    // No 0 / 0 where chance alone would do as well.
    let away_from_0 = |x: f64| if x < 0.0 { x.min(-f64::EPSILON) } else { x.max(f64::EPSILON) };
    away_from_0(shared - expected) / away_from_0((a.1 + b.1) / 2.0 - expected)
}

/// The mutual information of random clusters with the same sizes.
fn expected(a: &[usize], b: &[usize], total: usize) -> f64 {
    let mut log_factorials = vec![0.0; total + 1];
    for n in 1..=total {
        log_factorials[n] = log_factorials[n - 1] + (n as f64).ln();
    }
    let log = |n: usize| log_factorials[n];
    let mut sum = 0.0;
    for &a in a {
        for &b in b {
            let of_sizes = log(a) + log(b) + log(total - a) + log(total - b) - log(total);
            for n in (a + b).saturating_sub(total).max(1)..=a.min(b) {
                let information = (total as f64 * n as f64).ln() - (a as f64 * b as f64).ln();
                let others = log(n) + log(a - n) + log(b - n) + log(total + n - a - b);
                sum += n as f64 / total as f64 * information * (of_sizes - others).exp();
            }
        }
    }
    sum
}
