//! `qwen3 rerank`

use crate::command::{Outcome, on_cpu};
use crate::fixtures::{folder, pairs, reranker};
use serde_json::{Value, json};

/// Documents of very different kinds, so that their scores differ.
const DOCUMENTS: [&str; 5] =
    ["A force.", "中国的首都是北京。", "", "The capital of China is Beijing.", "fn main() {}"];

fn rank(options: &[&str], documents: &[&str]) -> Outcome {
    let options = ["--query", "Explain gravity"].into_iter().chain(options.iter().copied());
    on_cpu("rerank", &reranker(), options).args(documents.iter().copied()).succeeds()
}

fn score(object: &Value) -> f64 {
    object["score"].as_f64().expect("a number")
}

/// Expects the scores of Transformers for every pair, one run each. Measured:
/// scores within 6e-7, log-odds within 3e-6.
#[track_caller]
fn check(model: &str) {
    let model = folder(model);
    for pair in pairs(&model) {
        let arguments = ["--log-odds", "--query", &pair.query, "--instruction", &pair.instruction];
        let run = on_cpu("rerank", &model, arguments).args(["--dtype", "f32"]);
        let run = run.args(["--", pair.document.as_str()]);
        let found = run.succeeds().jsonl();
        let [found] = &found[..] else { panic!("one document, {found:?}") };
        assert!((score(found) - pair.score).abs() < 1e-4, "{found}, {} expected", pair.score);
        let log_odds = found["log_odds"].as_f64().expect("a number");
        assert!((log_odds - pair.log_odds).abs() < 1e-4, "{found}, {} expected", pair.log_odds);
        assert_eq!(found["tokens"], pair.tokens, "{found}");
        assert_eq!((&found["index"], &found["truncated"]), (&0.into(), &false.into()), "{found}");
    }
}

#[test]
fn scores_with_a_tied_head_are_those_of_transformers() {
    check("tiny-reranker-tied");
}

#[test]
fn scores_with_a_head_of_its_own_are_those_of_transformers() {
    check("tiny-reranker-untied");
}

#[test]
fn scores_of_a_sequence_classifier_are_those_of_transformers() {
    check("tiny-seq-cls");
}

#[test]
fn documents_come_best_first_with_their_places_in_the_input() {
    let ranking = rank(&[], &DOCUMENTS).jsonl();
    assert!(ranking.is_sorted_by(|a, b| score(a) > score(b)), "{ranking:?}");
    for object in &ranking {
        let document = DOCUMENTS[object["index"].as_u64().expect("a number") as usize];
        let alone = rank(&["--"], &[document]).jsonl();
        assert!((score(object) - score(&alone[0])).abs() < 1e-5, "{object}, alone {alone:?}");
    }
    assert_eq!(ranking.len(), DOCUMENTS.len());
}

#[test]
fn equal_documents_keep_their_order() {
    let ranking = rank(&[], &["a", "a", "a"]).jsonl();
    let places: Vec<&Value> = ranking.iter().map(|object| &object["index"]).collect();
    assert_eq!(places, [0, 1, 2]);
}

#[test]
fn only_the_best_are_printed_if_asked() {
    let ranking = rank(&[], &DOCUMENTS).jsonl();
    assert_eq!(rank(&["--top-n", "2"], &DOCUMENTS).jsonl(), ranking[..2]);
    assert_eq!(rank(&["--top-n", "99"], &DOCUMENTS).jsonl(), ranking);
}

#[test]
fn the_instruction_changes_scores() {
    let plain = rank(&[], &["a"]).jsonl();
    let instructed = rank(&["--instruction", "Find a poem"], &["a"]).jsonl();
    assert!((score(&plain[0]) - score(&instructed[0])).abs() > 1e-4, "{plain:?} {instructed:?}");
}

#[test]
fn json_is_one_array_of_the_same_objects() {
    let lines = rank(&[], &DOCUMENTS).jsonl();
    assert_eq!(rank(&["--format", "jsonl"], &DOCUMENTS).jsonl(), lines);
    assert_eq!(rank(&["--format", "json"], &DOCUMENTS).json(), Value::from(lines));
    assert_eq!(rank(&["--format", "json"], &["a"]).json().as_array().map(Vec::len), Some(1));
}

#[test]
fn log_odds_are_printed_only_if_asked() {
    let keys = |options: &[&str]| -> Vec<String> {
        rank(options, &["a"]).jsonl()[0].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(&[]), ["index", "score", "tokens", "truncated"]);
    assert_eq!(keys(&["--log-odds"]), ["index", "log_odds", "score", "tokens", "truncated"]);
}

#[test]
fn a_table_shows_the_same_ranking() {
    let ranking = rank(&["--log-odds"], &DOCUMENTS).jsonl();
    let outcome = rank(&["--log-odds", "--format", "table"], &DOCUMENTS);
    let mut lines = outcome.text().lines();
    let heading: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["score", "log-odds", "index", "document"]);
    for (line, object) in lines.by_ref().zip(&ranking) {
        let index = object["index"].as_u64().expect("a number") as usize;
        let odds = object["log_odds"].as_f64().expect("a number");
        let expected = format!("{:.4} {odds:.3} {index} {}", score(object), DOCUMENTS[index]);
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(cells.join(" "), expected.trim_end());
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn documents_come_from_lines_and_fields_too() {
    let expected = rank(&[], &["a", "", "b c"]).jsonl();
    let from_stdin = |options: &[&str], stdin: &str| {
        let run = on_cpu("rerank", &reranker(), ["--query", "Explain gravity"]);
        run.args(options.iter().copied()).stdin(stdin).succeeds().jsonl()
    };
    assert_eq!(from_stdin(&[], "a\n\nb c\n"), expected);
    let objects = "{\"t\": \"a\"}\n{\"t\": \"\"}\n{\"t\": \"b c\"}\n";
    assert_eq!(from_stdin(&["--field", "t", "--input", "-"], objects), expected);
}

#[test]
fn no_documents_give_a_valid_empty_ranking() {
    assert_eq!(rank(&["--format", "jsonl"], &[]).stdout, b"");
    assert_eq!(rank(&["--format", "json"], &[]).json(), json!([]));
    assert_eq!(rank(&["--format", "table"], &[]).text(), "score  index  document\n");
}

#[test]
fn documents_of_several_chunks_are_ranked_together() {
    // The first fills a chunk by itself, and is cut to what the limit keeps.
    let long = "a ".repeat(9 << 20);
    let run = on_cpu("rerank", &reranker(), ["--query", "Explain gravity", "--max-tokens", "200"]);
    let ranking = run.stdin(format!("{long}\nA force.\n\n")).succeeds().jsonl();
    let mut places: Vec<(u64, bool)> = ranking
        .iter()
        .map(|object| (object["index"].as_u64().unwrap(), object["truncated"].as_bool().unwrap()))
        .collect();
    assert!(ranking.is_sorted_by(|a, b| score(a) > score(b)), "{ranking:?}");
    places.sort_unstable();
    assert_eq!(places.iter().map(|place| place.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(places[0].1 && !places[2].1, "{places:?}");
}

#[test]
fn statistics_count_documents_with_their_template() {
    let outcome = rank(&["--stats"], &["a", "b"]);
    let tokens: u64 = outcome.jsonl().iter().map(|object| object["tokens"].as_u64().unwrap()).sum();
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    let stats: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!((&stats["texts"], &stats["tokens"]), (&2.into(), &tokens.into()), "{stats}");
}

#[test]
fn the_ranking_can_be_written_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ranking.jsonl");
    let path = path.to_str().expect("temporary folders have plain names");
    assert_eq!(rank(&["--output", path], &DOCUMENTS).stdout, b"");
    assert_eq!(std::fs::read(path).unwrap(), rank(&[], &DOCUMENTS).stdout);
}
