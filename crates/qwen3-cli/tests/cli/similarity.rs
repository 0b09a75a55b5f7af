//! `qwen3 similarity`

use crate::command::{Qwen3, on_cpu};
use crate::fixtures::{embedding_model, similarity, texts};
use crate::vectors::of_objects;
use serde_json::{Value, json};

const QUERIES: [&str; 2] = ["What is the capital of China?", "Explain gravity"];

/// `similarity` of the two reference queries with the two reference documents.
fn run(options: &[&str]) -> Qwen3 {
    compare(QUERIES, options)
}

fn compare(queries: [&str; 2], options: &[&str]) -> Qwen3 {
    let [two, three] = [2, 3].map(|index| texts().swap_remove(index).text);
    on_cpu("similarity", &embedding_model(), options.iter().copied()).args([
        "--dtype",
        "f32",
        "--query",
        queries[0],
        queries[1],
        "--document",
        &two,
        &three,
    ])
}

fn numbers(matrix: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(matrix.clone()).expect("rows of numbers")
}

/// Expects these similarities, whoever computed them. Measured: within 2e-7.
#[track_caller]
fn check(run: Qwen3, expected: impl Fn(usize, usize) -> f64) {
    let found = numbers(&run.succeeds().json()["similarity"]);
    assert_eq!([found.len(), found[0].len(), found[1].len()], [2; 3]);
    for (query, row) in found.iter().enumerate() {
        for (document, found) in row.iter().enumerate() {
            let expected = expected(query, document);
            assert!((found - expected).abs() < 1e-5, "{found}, {expected} expected");
        }
    }
}

#[test]
fn similarities_are_those_of_transformers() {
    check(run(&[]), |query, document| similarity()[query][document]);
    check(run(&["--similarity", "cosine"]), |query, document| similarity()[query][document]);
}

#[test]
fn a_prompt_for_queries_replaces_the_models_own() {
    let [zero, one] = [0, 1].map(|index| texts().swap_remove(index).text);
    let prompted = compare([&zero, &one], &["--prompt", ""]);
    check(prompted, |query, document| similarity()[query][document]);
    check(run(&["--prompt-name", "query"]), |query, document| similarity()[query][document]);
    let other = run(&["--instruction", "Find a poem"]).succeeds().json();
    assert!((numbers(&other["similarity"])[0][0] - similarity()[0][0]).abs() > 1e-4);
}

#[test]
fn every_measure_is_computed_from_the_vectors() {
    let vectors = of_objects(
        &on_cpu("embed", &embedding_model(), ["--no-normalize", "--dtype", "f32"])
            .args(
                [0, 1, 2, 3]
                    .map(|index| texts().swap_remove(index).text)
                    .each_ref()
                    .map(String::as_str),
            )
            .succeeds()
            .jsonl(),
    );
    let sum = |query: usize, document: usize, term: fn(f64, f64) -> f64| {
        let pairs = vectors[query].iter().zip(&vectors[2 + document]);
        pairs.map(|(&q, &d)| term(q.into(), d.into())).sum::<f64>()
    };
    let raw = |measure| run(&["--no-normalize", "--similarity", measure]);
    check(raw("dot"), |query, document| sum(query, document, |q, d| q * d));
    let squares = |query, document| sum(query, document, |q, d| (q - d) * (q - d));
    check(raw("euclidean"), |query, document| -squares(query, document).sqrt());
    check(raw("manhattan"), |query, document| -sum(query, document, |q, d| (q - d).abs()));
    check(raw("cosine"), |query, document| similarity()[query][document]);
    check(run(&["--similarity", "dot"]), |query, document| similarity()[query][document]);
}

#[test]
fn json_repeats_the_texts() {
    let object = run(&[]).succeeds().json();
    assert_eq!(object["queries"], json!(QUERIES));
    assert_eq!(object["documents"], json!([texts()[2].text, texts()[3].text]));
}

#[test]
fn json_lines_have_one_row_each() {
    let lines = run(&["--format", "jsonl"]).succeeds().jsonl();
    let object = run(&["--format", "json"]).succeeds().json();
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["query"], QUERIES[index]);
        assert_eq!(line["similarity"], object["similarity"][index]);
    }
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_table_has_queries_down_and_documents_across() {
    let outcome = run(&["--format", "table"]).succeeds();
    let lines: Vec<&str> = outcome.text().lines().collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["document", "1", "document", "2"]);
    for (line, (query, row)) in lines[1..].iter().zip(QUERIES.iter().zip(similarity())) {
        let cells: Vec<&str> = line.strip_prefix(query).expect(line).split_whitespace().collect();
        assert_eq!(cells, row.map(|similarity| format!("{similarity:.4}")));
    }
    assert_eq!(&lines[3..5], ["", "document 1: The capital of China is Beijing."]);
    assert!(lines[5].starts_with("document 2: Gravity is a force"), "{outcome:?}");
}

#[test]
fn one_query_and_one_document_are_a_matrix_too() {
    let arguments = ["--query", "a", "--document", "a", "--prompt", "", "--stats"];
    let outcome = on_cpu("similarity", &embedding_model(), arguments).succeeds();
    let matrix = numbers(&outcome.json()["similarity"]);
    assert!(matches!(&matrix[..], [row] if matches!(row[..], [x] if (x - 1.0).abs() < 1e-6)));
    let stats: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!((&stats["texts"], &stats["tokens"]), (&2.into(), &4.into()));
}
