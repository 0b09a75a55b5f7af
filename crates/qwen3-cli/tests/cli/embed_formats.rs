//! `qwen3 embed`: every format holds the same vectors.

use crate::command::{Outcome, on_cpu};
use crate::fixtures::{embedding_model, floats};
use crate::vectors::{in_rows, of_npy, of_objects};
use std::path::Path;

const TEXTS: [&str; 3] = ["The capital of China is Beijing.", "", "two\nlines"];
const DIMENSIONS: usize = 32;

fn embed(arguments: &[&str]) -> Outcome {
    on_cpu("embed", &embedding_model(), TEXTS).args(arguments.iter().copied()).succeeds()
}

/// What jsonl says, which every other format is compared with.
fn expected() -> Vec<Vec<f32>> {
    of_objects(&embed(&["--format", "jsonl"]).jsonl())
}

/// Writes to a file of this name, and returns what is in it.
fn written_to(name: &str, arguments: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let path = path.to_str().expect("temporary folders have plain names");
    let outcome = embed(&[&["--output", path], arguments].concat());
    assert!(outcome.stdout.is_empty(), "{outcome:?}");
    std::fs::read(Path::new(path)).unwrap()
}

fn of_json_lines(bytes: &[u8]) -> Vec<Vec<f32>> {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    of_objects(&lines.map(|line| serde_json::from_slice(line).unwrap()).collect::<Vec<_>>())
}

fn of_json(bytes: &[u8]) -> Vec<Vec<f32>> {
    of_objects(&serde_json::from_slice::<Vec<serde_json::Value>>(bytes).unwrap())
}

#[test]
fn json_is_one_array_of_the_same_objects() {
    let objects = embed(&["--format", "jsonl"]).jsonl();
    assert_eq!(embed(&["--format", "json"]).json(), serde_json::Value::from(objects));
}

#[test]
fn an_object_has_index_tokens_truncated_and_embedding() {
    let object = embed(&["--format", "jsonl"]).jsonl().swap_remove(1);
    let keys: Vec<&String> = object.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["embedding", "index", "tokens", "truncated"]);
}

#[test]
fn numpy_reads_the_same_vectors() {
    assert_eq!(of_npy(&embed(&["--format", "npy"]).stdout), expected());
}

#[test]
fn raw_numbers_are_the_same_vectors() {
    let numbers = floats(&embed(&["--format", "f32"]).stdout);
    assert_eq!(in_rows(&numbers, DIMENSIONS), expected());
}

#[test]
fn a_table_shows_how_the_same_vectors_begin() {
    let outcome = embed(&["--format", "table"]);
    let lines: Vec<&str> = outcome.text().lines().collect();
    assert_eq!(lines.len(), 1 + TEXTS.len(), "{outcome:?}");
    let heading: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(heading, ["index", "tokens", "vector", "text"]);
    for ((line, vector), text) in lines[1..].iter().zip(expected()).zip(TEXTS) {
        let [a, b, c, d] = vector[..4] else { panic!("{DIMENSIONS} numbers expected") };
        assert!(line.contains(&format!("[{a:+.4}, {b:+.4}, {c:+.4}, {d:+.4}, …] 32-d")), "{line}");
        assert!(line.ends_with(&text.replace('\n', " ")), "{line}");
    }
}

#[test]
fn a_pipe_gets_json_lines_unless_told_otherwise() {
    assert_eq!(of_json_lines(&embed(&[]).stdout), expected());
}

#[test]
fn the_ending_of_the_output_chooses_the_format() {
    let expected = expected();
    assert_eq!(of_npy(&written_to("a.npy", &[])), expected);
    assert_eq!(of_json(&written_to("a.json", &[])), expected);
    assert_eq!(of_json_lines(&written_to("a.jsonl", &[])), expected);
    assert_eq!(of_json_lines(&written_to("a", &[])), expected);
    assert_eq!(in_rows(&floats(&written_to("a.f32", &[])), DIMENSIONS), expected);
    assert_eq!(in_rows(&floats(&written_to("a.bin", &[])), DIMENSIONS), expected);
}

#[test]
fn a_named_format_wins_over_the_ending() {
    assert_eq!(of_json(&written_to("a.npy", &["--format", "json"])), expected());
    assert_eq!(of_npy(&written_to("a.json", &["--format", "npy"])), expected());
}

#[test]
fn no_texts_give_a_valid_empty_output_in_every_format() {
    let empty =
        |format| on_cpu("embed", &embedding_model(), ["--format", format]).stdin("").succeeds();
    assert_eq!(empty("jsonl").stdout, b"");
    assert_eq!(empty("f32").stdout, b"");
    assert_eq!(empty("json").json(), serde_json::json!([]));
    assert!(of_npy(&empty("npy").stdout).is_empty());
    let table = empty("table");
    assert_eq!(
        table.text().split_whitespace().collect::<Vec<_>>(),
        ["index", "tokens", "vector", "text"]
    );
}
