//! nAUC: does a score tell which queries to rather not answer? (arXiv:2402.12997)
//!
//! mteb asks whether two areas are equal, so sums here are in NumPy's order.

use super::Hit;
use crate::sums::{mean, standard_deviation, sum, sum_of_group};

/// Three ways to tell how sure a search is, each for every query.
pub(super) fn confidences(hits: &[&[Hit]]) -> [(&'static str, Vec<f64>); 3] {
    let of = |measure: fn(&[f64]) -> f64| {
        let scores = hits.iter().map(|hits| hits.iter().map(|hit| f64::from(hit.score)));
        scores.map(|scores| measure(&scores.collect::<Vec<_>>())).collect()
    };
    let max = |scores: &[f64]| scores.first().copied().unwrap_or(0.0);
    let std = |scores: &[f64]| if scores.is_empty() { 0.0 } else { standard_deviation(scores) };
    let diff1 = |scores: &[f64]| scores.get(1).map_or(0.0, |second| scores[0] - second);
    [("max", of(max)), ("std", of(std)), ("diff1", of(diff1))]
}

/// The area under the curve of a measure over the rate of abstention, between that of
/// abstaining by chance, 0, and by the measure itself, 1.
pub(super) fn nauc(confidence: &[f64], measure: &[f64]) -> f64 {
    let oracle = curve(measure, measure);
    let (area, oracle_area) = (area(&curve(confidence, measure)), area(&oracle));
    let flat_area = oracle[0] * (rate(RATES - 1) - rate(0));
    if oracle_area == flat_area {
        return f64::NAN;
    }
    (area - flat_area) / (oracle_area - flat_area)
}

const RATES: usize = 10;

/// `numpy.linspace(0, 1, 11)[:-1]`.
fn rate(i: usize) -> f64 {
    i as f64 * 0.1
}

/// The mean of those that remain when the least sure ones abstain. Equally sure ones share
/// their mean.
fn curve(confidence: &[f64], measure: &[f64]) -> [f64; RATES] {
    let mut order: Vec<usize> = (0..confidence.len()).collect();
    // NaN is last, as in NumPy; a standard deviation of infinite scores is NaN.
    order.sort_by(|&a, &b| {
        let (a, b) = (confidence[a], confidence[b]);
        a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
    });
    let mut sorted = Vec::with_capacity(order.len());
    for tied in order.chunk_by(|&a, &b| confidence[a] == confidence[b]) {
        let group: Vec<f64> = tied.iter().map(|&i| measure[i]).collect();
        let mean = sum_of_group(&group) / group.len() as f64;
        sorted.extend(group.iter().map(|_| mean));
    }
    std::array::from_fn(|i| {
        let abstaining = (rate(i) * sorted.len() as f64).round_ties_even() as usize;
        mean(&sorted[abstaining.min(sorted.len() - 1)..])
    })
}

/// The trapezoidal rule, as `numpy.trapezoid`.
fn area(curve: &[f64; RATES]) -> f64 {
    let step = |i: usize| (rate(i + 1) - rate(i)) * (curve[i + 1] + curve[i]) / 2.0;
    sum(&(0..RATES - 1).map(step).collect::<Vec<_>>())
}
