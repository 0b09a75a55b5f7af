//! Numbers that tell how good rows are.

/// The first `dimensions` numbers of a row, scaled to length 1.
pub fn unit(row: &[f32], dimensions: usize) -> Vec<f32> {
    let cut = &row[..dimensions];
    let squares: f64 = cut.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    let scale = squares.sqrt().max(1e-12).recip();
    cut.iter().map(|x| (f64::from(*x) * scale) as f32).collect()
}

pub fn dot(left: &[f32], right: &[f32]) -> f64 {
    left.iter().zip(right).map(|(l, r)| f64::from(*l) * f64::from(*r)).sum()
}

/// Similarities of all pairs of unit rows, in the order of pairs.
pub fn pair_similarities(rows: &[Vec<f32>]) -> Vec<f64> {
    let pairs = rows.iter().enumerate();
    pairs.flat_map(|(i, left)| rows[..i].iter().map(move |right| dot(left, right))).collect()
}

/// Spearman's correlation of the ranks of two lists, equal numbers sharing their mean
/// rank; 0 where one of the lists has no order.
pub fn spearman(left: &[f64], right: &[f64]) -> f64 {
    pearson(&ranks(left), &ranks(right))
}

fn pearson(left: &[f64], right: &[f64]) -> f64 {
    let n = left.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (of_left, of_right) = (mean(left), mean(right));
    let (mut both, mut squares_left, mut squares_right) = (0.0, 0.0, 0.0);
    for (l, r) in left.iter().zip(right) {
        let (l, r) = (l - of_left, r - of_right);
        both += l * r;
        squares_left += l * l;
        squares_right += r * r;
    }
    let norm = (squares_left * squares_right).sqrt();
    if norm > 0.0 { both / norm } else { 0.0 }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for same in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (same.len() - 1) as f64 / 2.0;
        same.iter().for_each(|&index| ranks[index] = rank);
        first += same.len();
    }
    ranks
}

/// The rank of a score among others, counted from 1; equal ones come before it.
pub fn ranks_of_first(score: f64, others: impl Iterator<Item = f64>) -> usize {
    1 + others.filter(|&other| other >= score).count()
}

/// How often a right one has the higher score of a right and a wrong one, equal scores
/// counting half; `None` where one of both is missing.
pub fn area_under_curve(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let right = labels.iter().filter(|&&label| label).count() as f64;
    let wrong = labels.len() as f64 - right;
    let ranks = ranks(scores);
    let of_right = ranks.iter().zip(labels).filter(|&(_, &label)| label);
    let sum: f64 = of_right.map(|(rank, _)| rank + 1.0).sum();
    (right > 0.0 && wrong > 0.0).then(|| (sum - right * (right + 1.0) / 2.0) / (right * wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_of_ranks_sees_the_order_alone() {
        assert!((spearman(&[1.0, 2.0, 3.0], &[1.0, 10.0, 11.0]) - 1.0).abs() < 1e-12);
        assert!((spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, -9.0]) + 1.0).abs() < 1e-12);
        // scipy.stats.spearmanr([1, 2, 2, 4], [1, 3, 2, 4])
        assert!((spearman(&[1.0, 2.0, 2.0, 4.0], &[1.0, 3.0, 2.0, 4.0]) - 0.948_683).abs() < 1e-6);
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
    }

    #[test]
    fn the_area_is_that_of_pairs_in_order() {
        let area = |scores: &[f64]| area_under_curve(scores, &[true, false, true, false]).unwrap();
        assert_eq!(area(&[4.0, 1.0, 3.0, 2.0]), 1.0);
        assert_eq!(area(&[1.0, 4.0, 3.0, 2.0]), 0.25);
        assert_eq!(area(&[1.0, 1.0, 1.0, 1.0]), 0.5);
        assert_eq!(area_under_curve(&[1.0, 2.0], &[true, true]), None);
        assert_eq!(ranks_of_first(0.5, [0.9, 0.5, 0.1].into_iter()), 3);
    }

    #[test]
    fn every_pair_is_compared_once() {
        let rows = [vec![1.0, 0.0], vec![0.6, 0.8], vec![0.0, 1.0]];
        let found = pair_similarities(&rows);
        for (found, expected) in found.iter().zip([0.6, 0.0, 0.8]) {
            assert!((found - expected).abs() < 1e-6, "{found}");
        }
        assert_eq!(unit(&[3.0, 4.0, 9.0], 2), [0.6, 0.8]);
    }
}
