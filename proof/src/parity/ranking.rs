//! Whether documents come in the order of the reference.

use crate::reference::{Output, Reference};
use qwen3_engine::Similarity;

/// Whether each query orders the documents as the reference does, and a reranker its pairs;
/// what is closer than `margin` may change places.
pub fn same_ranking(reference: &Reference, found: &[Output], margin: f64) -> bool {
    let expected: Vec<&Output> = reference.cases.iter().map(|case| &case.output).collect();
    let expected = rows(reference, &expected);
    let found = rows(reference, &found.iter().collect::<Vec<_>>());
    expected.iter().zip(&found).all(|(expected, found)| {
        let n = expected.len();
        let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
        let mut clear = pairs.filter(|&(i, j)| expected[i] > expected[j] + margin);
        clear.all(|(i, j)| found[i] > found[j])
    })
}

/// What the documents of each query are ordered by; of a reranker one row, its log-odds.
fn rows(reference: &Reference, outputs: &[&Output]) -> Vec<Vec<f64>> {
    let log_odds: Option<Vec<f64>> = outputs.iter().map(|output| output.log_odds()).collect();
    if let Some(log_odds) = log_odds {
        return vec![log_odds];
    }
    let documents = || (0..outputs.len()).filter(|index| !reference.queries.contains(index));
    let dot = |query: usize, document: usize| {
        Similarity::Dot.of(outputs[query].vector(), outputs[document].vector())
    };
    let row = |&query: &usize| documents().map(|document| dot(query, document)).collect();
    reference.queries.iter().map(row).collect()
}
