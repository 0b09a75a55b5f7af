//! The table of published numbers fits its reader.

use super::*;

#[test]
fn every_number_has_its_input_and_belongs_to_its_kind_of_model() {
    assert_eq!(models().len(), 6);
    for model in models() {
        for numbers in &model.checks {
            let (n_expected, n_inputs, is_of_scores) = match &numbers.quantity {
                Quantity::Similarity { queries, documents, expected } => {
                    assert!(expected.iter().all(|row| row.len() == documents.len()));
                    (expected.len(), queries.len(), false)
                }
                Quantity::HiddenState { texts, expected } => (expected.len(), texts.len(), false),
                Quantity::HiddenStateNorm { texts, expected } => {
                    (expected.len(), texts.len(), false)
                }
                Quantity::CutSimilarity { dimensions, expected, .. } => {
                    (expected.len(), dimensions.len(), false)
                }
                Quantity::QueryVector { expected, .. } => (expected.len().min(1), 1, false),
                Quantity::LogOdds { pairs, expected }
                | Quantity::Score { pairs, expected, .. }
                | Quantity::PlainScore { pairs, expected } => (expected.len(), pairs.len(), true),
            };
            assert_eq!(n_expected, n_inputs, "{}: {numbers:?}", model.model);
            assert_eq!(is_of_scores, model.kind == "reranker", "{}: {numbers:?}", model.model);
        }
    }
}

#[test]
fn a_published_model_is_known_by_its_name() {
    let is = |model: &str| models()[0].is_called(model, Path::new(model));
    assert!(is("Qwen/Qwen3-Embedding-0.6B"));
    assert!(is("/data/Qwen3-Embedding-0.6B"));
    assert!(is("/cache/models--Qwen--Qwen3-Embedding-0.6B/snapshots/97b0c6"));
    assert!(!is("/data/my-Qwen3-Embedding-0.6B-tuned"));
    assert!(!is("Qwen/Qwen3-Embedding-4B"));
    assert!(!is("/data/Qwen3-Embedding-0.6B/tuned"));
}

#[test]
fn a_number_that_is_none_is_wrong() {
    let check = |found| {
        let (what, source) = (String::new(), String::new());
        Check { what, source, expected: 1.0, found, tolerance: 0.1 }.ok()
    };
    assert!(check(1.05) && !check(1.2) && !check(f64::NAN) && !check(f64::INFINITY));
}
