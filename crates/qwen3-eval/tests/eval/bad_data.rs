//! What nobody should give is an error that says what is wrong, and no panic.

use crate::support::{qrels, run};
use proptest::prelude::*;
use qwen3_eval::{
    Clustering, ClusteringSize, Error, Hit, Qrels, Run, Search, Summaries, Vectors, bitext_mining,
    classification, multilabel_classification, nearest, p_mrr, pair_classification, rescore,
    retrieval, run_of, stratified_rows, sts, summarization,
};
use serde_json::json;
use std::collections::BTreeMap;

fn message<T>(result: Result<T, Error>) -> String {
    result.err().expect("an error").to_string()
}

fn rows(numbers: &[f32]) -> Vectors<'_> {
    Vectors::new(numbers, 2).unwrap()
}

#[test]
fn numbers_that_make_no_vectors_are_errors() {
    assert!(matches!(Vectors::new(&[1.0; 5], 2), Err(Error::Shape { numbers: 5, width: 2 })));
    assert!(matches!(Vectors::new(&[], 0), Err(Error::Shape { .. })));
    let nan = Vectors::new(&[1.0, 2.0, f32::NAN, 0.0], 2);
    assert!(matches!(nan, Err(Error::NotFinite { what: "vector", row: 1 })));
    assert!(Vectors::new(&[], 3).unwrap().is_empty());
}

#[test]
fn runs_and_qrels_that_do_not_fit_are_errors() {
    let judged = qrels(&json!({"q1": {"d1": 1}}));
    let strange = run(&json!({"other": {"d1": 0.5}})).unwrap();
    assert!(matches!(retrieval(&judged, &strange), Err(Error::NothingJudged)));
    assert!(matches!(retrieval(&judged, &Run::default()), Err(Error::NothingJudged)));
    assert!(matches!(retrieval(&Qrels::default(), &strange), Err(Error::NoJudgements)));
    let both = run(&json!({"other": {"d1": 0.5}, "q1": {"d2": 0.1}})).unwrap();
    assert_eq!(retrieval(&judged, &both).unwrap().unjudged, ["other"]);

    let mut run = Run::default();
    let hit = |score| Hit { document: "d1".to_owned(), score };
    let nan = message(run.insert("q1", vec![hit(f32::NAN)]));
    assert_eq!(nan, "the score of `d1` for the query `q1` is NaN; compute it again");
    let twice = message(run.insert("q1", vec![hit(0.1), hit(0.2)]));
    assert_eq!(twice, "the query `q1` of the run has the id `d1` again; every id may stand once");
    run.insert("q1", vec![hit(f32::INFINITY)]).unwrap();
    assert!(matches!(run.insert("q1", vec![]), Err(Error::DuplicateId { .. })));
    assert!(retrieval(&judged, &run).is_ok());
    let mut judged = judged;
    assert!(matches!(judged.insert("q1", "d1", 0), Err(Error::DuplicateId { .. })));
}

#[test]
fn changed_documents_of_an_unknown_query_are_an_error() {
    let og = run(&json!({"q1-og": {"d1": 0.5}})).unwrap();
    let changed = BTreeMap::from([("q1".to_owned(), vec!["d1".to_owned()])]);
    let unknown = message(p_mrr(&og, &Run::default(), &changed));
    assert!(unknown.contains("names `q1-changed`, which `the run` doesn't have"), "{unknown}");
    assert!(matches!(p_mrr(&og, &og, &BTreeMap::new()), Err(Error::TooFew { .. })));
}

#[test]
fn searches_that_make_no_sense_are_errors() {
    let (one, wide) = ([1.0, 0.0], [1.0, 0.0, 0.0]);
    assert!(matches!(Search::new(&rows(&one), 0), Err(Error::Setting { setting: "k", .. })));
    let wide = Vectors::new(&wide, 3).unwrap();
    assert!(matches!(nearest(&rows(&one), &wide, 1), Err(Error::Width { found: 3, expected: 2 })));
    let beyond = rescore(&rows(&one), &rows(&one), &[vec![1]]);
    assert!(matches!(beyond, Err(Error::Index { index: 1, len: 1, .. })));
    let twice = rescore(&rows(&one), &rows(&one), &[vec![0, 0]]);
    assert!(matches!(twice, Err(Error::DuplicateId { .. })));
    assert!(matches!(rescore(&rows(&one), &rows(&one), &[]), Err(Error::Count { .. })));
    let found = nearest(&rows(&one), &rows(&one), 1).unwrap();
    let query = ["q".to_owned()];
    assert!(matches!(run_of(&found, &query, &[]), Err(Error::Index { .. })));
    assert!(nearest(&rows(&one), &rows(&[]), 1).unwrap()[0].is_empty());
}

#[test]
fn pairs_that_tell_nothing_are_errors() {
    let two = [1.0, 0.0, 0.0, 1.0];
    let constant = sts(&rows(&two), &rows(&two), &[3.0, 3.0]);
    assert!(matches!(constant, Err(Error::Constant { .. })));
    assert!(matches!(sts(&rows(&two), &rows(&two), &[3.0]), Err(Error::Count { .. })));
    let one_class = pair_classification(&rows(&two), &rows(&two), &[1, 1]);
    assert!(matches!(one_class, Err(Error::OneClass { .. })));
    let label = pair_classification(&rows(&two), &rows(&two), &[1, 2]);
    assert!(matches!(label, Err(Error::PairLabel { row: 1, label: 2 })));
    assert!(matches!(bitext_mining(&rows(&[]), &rows(&two), &[]), Err(Error::TooFew { .. })));
    let beyond = bitext_mining(&rows(&two), &rows(&two), &[0, 2]);
    assert!(matches!(beyond, Err(Error::Index { index: 2, .. })));
    let silent = Summaries { human: rows(&[]), machine: rows(&two), gold: &[1.0, 2.0] };
    assert!(matches!(summarization(&[silent]), Err(Error::TooFew { .. })));
    assert!(matches!(summarization(&[]), Err(Error::TooFew { .. })));
}

#[test]
fn labels_that_tell_nothing_are_errors() {
    let two = [1.0, 0.0, 0.0, 1.0];
    let one_class = classification((&rows(&two), &[1, 1]), (&rows(&two), &[1, 0]));
    assert!(matches!(one_class, Err(Error::OneClass { .. })));
    let no_test = classification((&rows(&two), &[1, 0]), (&rows(&[]), &[]));
    assert!(matches!(no_test, Err(Error::TooFew { .. })));
    let lists = [vec![1], vec![2]];
    let few = multilabel_classification((&rows(&two), &lists), (&rows(&two), &lists));
    assert!(matches!(few, Err(Error::TooFew { what: "examples of an experiment", .. })));
    assert!(matches!(stratified_rows(&lists, 0), Err(Error::TooFew { .. })));
    let all = ClusteringSize { fraction: None, run_documents: 4 };
    let nothing = Clustering::new(0, all);
    assert!(matches!(nothing, Err(Error::TooFew { .. })));
    let too_many_clusters = Clustering::new(2, ClusteringSize { run_documents: 1, ..all });
    let too_many_clusters = too_many_clusters.unwrap().evaluate(&rows(&two), &lists);
    assert!(matches!(too_many_clusters, Err(Error::TooFew { .. })));
    for fraction in [0.0, -1.0, 1.5, f64::NAN] {
        let size = ClusteringSize { fraction: Some(fraction), run_documents: 4 };
        assert!(matches!(Clustering::new(100, size), Err(Error::Setting { .. })));
    }
}

proptest! {
    // Each case learns twenty times and clusters twenty times.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any vectors and any labels give a result or an error.
    #[test]
    fn nothing_panics(
        numbers in prop::collection::vec(prop_oneof![Just(0.0_f32), -1e38_f32..1e38, -1.0_f32..1.0], 24),
        labels in prop::collection::vec(-2_i64..3, 12),
        gold in prop::collection::vec(prop_oneof![Just(f64::NAN), -1e308..1e308, -1.0..1.0], 12),
    ) {
        let rows = rows(&numbers);
        let _ = sts(&rows, &rows, &gold);
        let _ = pair_classification(&rows, &rows, &labels);
        let _ = classification((&rows, &labels), (&rows, &labels));
        let lists: Vec<Vec<i64>> = labels.chunks(2).map(<[i64]>::to_vec).cycle().take(12).collect();
        let _ = multilabel_classification((&rows, &lists), (&rows, &lists));
        let size = ClusteringSize { fraction: None, run_documents: 20 };
        let _ = Clustering::new(12, size).unwrap().evaluate(&rows, &lists);
        let _ = summarization(&[Summaries { human: rows, machine: rows, gold: &gold }]);
        let _ = stratified_rows(&lists, 5);
    }
}
