//! `qwen3 embed`: where texts come from, and that their vectors are right.

use crate::command::{Qwen3, on_cpu};
use crate::fixtures::{embedding_model, texts};
use crate::vectors::{assert_close, cosine, of_objects};
use serde_json::json;
use std::io::Write;

fn embed<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Qwen3 {
    on_cpu("embed", &embedding_model(), arguments)
}

/// Expects that `run` embeds exactly these texts, in this order.
#[track_caller]
fn check(run: Qwen3, expected: &[&str]) {
    let found = of_objects(&run.succeeds().jsonl());
    let expected = embed(["--"]).args(expected.iter().copied()).succeeds();
    assert_close(&found, &of_objects(&expected.jsonl()), 1e-6);
}

#[test]
fn vectors_are_those_of_transformers() {
    let texts = texts();
    let lines: String =
        texts.iter().map(|text| format!("{}\n", json!({"id": 1, "body": text.text}))).collect();
    let objects = embed(["--dtype", "f32", "--field", "body"]).stdin(lines).succeeds().jsonl();
    for (text, object) in texts.iter().zip(&objects) {
        assert_eq!(object["tokens"], text.tokens, "{}", text.text);
        assert_eq!(object["truncated"], false, "{}", text.text);
    }
    let vectors = of_objects(&objects);
    assert_eq!(vectors.len(), texts.len());
    for (text, vector) in texts.iter().zip(vectors) {
        let cosine = cosine(&vector, &text.vector);
        assert!(cosine >= 0.99999, "{cosine} for {:?}", text.text);
    }
}

#[test]
fn arguments_are_texts_whatever_is_in_them() {
    let [code, emoji] = [6, 7].map(|index| texts().swap_remove(index));
    let found = embed(["--dtype", "f32", code.text.as_str(), &emoji.text]).succeeds().jsonl();
    assert_eq!([&found[0]["tokens"], &found[1]["tokens"]], [code.tokens, emoji.tokens]);
    let vectors = of_objects(&found);
    assert!(cosine(&vectors[0], &code.vector) >= 0.99999);
    assert!(cosine(&vectors[1], &emoji.vector) >= 0.99999);
}

#[test]
fn after_two_dashes_a_text_may_look_like_an_option() {
    check(embed([]).stdin("-1\n--model\n"), &["-1", "--model"]);
}

#[test]
fn lines_of_standard_input_are_texts() {
    check(embed([]).stdin("a\nb c\n"), &["a", "b c"]);
    check(embed(["--input", "-"]).stdin("a\nb c"), &["a", "b c"]);
}

#[test]
fn empty_lines_are_texts_too() {
    let empty = &texts()[8];
    let found = embed([]).stdin("a\n\n\nb\n").succeeds().jsonl();
    assert_eq!(found.len(), 4);
    assert_eq!(found[1]["tokens"], empty.tokens);
    assert!(cosine(&of_objects(&found)[2], &empty.vector) >= 0.99999);
}

#[test]
fn line_ends_and_a_byte_order_mark_are_not_part_of_texts() {
    check(embed([]).stdin("\u{feff}a\r\nb\r\n"), &["a", "b"]);
}

#[test]
fn a_file_is_read_line_by_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "one text\nanother text, 万有引力\n").unwrap();
    check(embed(["--input"]).arg(file.path()), &["one text", "another text, 万有引力"]);
}

#[test]
fn a_field_of_json_lines_is_the_text() {
    let lines = "{\"id\": 7, \"body\": \"two\\nlines\"}\n{\"body\": \"\", \"x\": null}\n";
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    check(embed(["--field", "body"]).stdin(lines), &["two\nlines", ""]);
    check(embed(["--field", "body", "--input"]).arg(file.path()), &["two\nlines", ""]);
}

#[test]
fn more_lines_than_one_chunk_holds_keep_their_order() {
    let distinct = ["a", "b", "c", "d", "e", "f", "g"];
    let n_lines = 4_100;
    let lines: String =
        distinct.iter().cycle().take(n_lines).map(|text| format!("{text}\n")).collect();
    let found = of_objects(&embed([]).stdin(lines).succeeds().jsonl());
    let alone = of_objects(&embed(distinct).succeeds().jsonl());
    let expected: Vec<_> = alone.iter().cycle().take(n_lines).cloned().collect();
    assert_close(&found, &expected, 1e-5);
}
