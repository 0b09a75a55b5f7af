//! Retrieval, reranking and instructions against mteb, and runs against pytrec_eval.

use crate::support::{Matrix, assert_main_score, assert_near, fixture, qrels, run, scores};
use qwen3_eval::{
    Neighbour, RetrievalScores, instruction_retrieval, nearest, rescore, retrieval, run_of,
};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// mteb rounds to 5 digits what it rounds; the rest is equal to the last bits of a float64, except
/// where an nAUC divides by a small number: the largest difference was 3e-14.
const TOLERANCE: f64 = 1e-12;
/// nAUC from vectors: a cosine in float32 differs in its last bits between two programs, and
/// confidences are made of it. The order of queries by confidence was the same.
const OF_VECTORS: f64 = 1e-9;

#[test]
fn retrieval_has_mtebs_numbers() {
    let fixture = fixture("retrieval");
    let ((document_ids, documents), (query_ids, queries)) =
        (Matrix::named(&fixture["documents"]), Matrix::named(&fixture["queries"]));
    let found = nearest(&queries.rows(), &documents.rows(), 1_000).unwrap();
    let run = run_of(&found, &query_ids, &document_ids).unwrap();
    let ours = retrieval(&qrels(&fixture["qrels"]), &run).unwrap();
    assert!(ours.unjudged.is_empty());
    let theirs = scores(&fixture["result"]);
    assert_main_score("Retrieval", ours.means["ndcg_at_10"], theirs, TOLERANCE);
    assert_eq!(compare(&ours, theirs, OF_VECTORS), 148);
}

#[test]
fn reranking_has_mtebs_numbers() {
    let fixture = fixture("reranking");
    let run = reranked(&fixture);
    let ours = retrieval(&qrels(&fixture["qrels"]), &run).unwrap();
    let theirs = scores(&fixture["result"]);
    assert_main_score("Reranking", ours.means["map_at_1000"], theirs, TOLERANCE);
    assert_eq!(compare(&ours, theirs, OF_VECTORS), 148);
}

#[test]
fn instruction_retrieval_has_mtebs_numbers() {
    let fixture = fixture("instructions");
    let changed: BTreeMap<String, Vec<String>> =
        serde_json::from_value(fixture["changed"].clone()).unwrap();
    let run = reranked(&fixture);
    let ours = instruction_retrieval(&qrels(&fixture["qrels"]), &run, &changed).unwrap();
    let theirs = scores(&fixture["result"]);
    assert_main_score("InstructionReranking", ours.p_mrr, theirs, TOLERANCE);
    assert_eq!(compare(&ours.all, theirs, OF_VECTORS), 148);
    assert_eq!(compare(&ours.og, &theirs["og"], OF_VECTORS), 148);
    assert_eq!(compare(&ours.changed, &theirs["changed"], OF_VECTORS), 148);
}

/// Ties, empty lists, negative judgements, nothing relevant, fewer documents than a cutoff.
#[test]
fn any_run_has_the_numbers_of_pytrec_eval() {
    for case in fixture("runs")["cases"].as_array().unwrap() {
        let ours = retrieval(&qrels(&case["qrels"]), &run(&case["run"]).unwrap()).unwrap();
        assert!(compare(&ours, &case["scores"], TOLERANCE) >= 155);
    }
}

fn reranked(fixture: &Value) -> qwen3_eval::Run {
    let ((document_ids, documents), (query_ids, queries)) =
        (Matrix::named(&fixture["documents"]), Matrix::named(&fixture["queries"]));
    let place: HashMap<&str, usize> = document_ids.iter().map(String::as_str).zip(0..).collect();
    let places = |list: &Value| {
        list.as_array().unwrap().iter().map(|id| place[id.as_str().unwrap()]).collect()
    };
    let candidates: Vec<Vec<usize>> =
        query_ids.iter().map(|query| places(&fixture["candidates"][query])).collect();
    let found: Vec<Vec<Neighbour>> =
        rescore(&queries.rows(), &documents.rows(), &candidates).unwrap();
    run_of(&found, &query_ids, &document_ids).unwrap()
}

/// Compares all numbers that mteb has by a name of ours, and says how many they are.
fn compare(ours: &RetrievalScores, theirs: &Value, tolerance: f64) -> usize {
    let mut compared = 0;
    for (name, theirs) in theirs.as_object().unwrap() {
        let Some(&ours) = ours.means.get(name) else {
            let others =
                ["main_score", "hf_subset", "languages", "mteb_version", "p-MRR", "og", "changed"];
            assert!(others.contains(&name.as_str()), "`{name}` is missing");
            continue;
        };
        assert_near(name, ours, theirs, tolerance);
        compared += 1;
    }
    compared
}
