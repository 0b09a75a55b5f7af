//! Rows that are lists of rows: the same as the rows themselves.

use crate::bench::{embed, lines, options, refused};
use qwen3_eval::{OpenOptions, TaskData};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn text(at: usize) -> String {
    format!("text {}", at * at)
}

#[track_caller]
fn same(path: &Path, options: &OpenOptions, as_rows: &Path) {
    let of_rows = TaskData::open(as_rows, &self::options()).unwrap();
    let of_lists = TaskData::open(path, options).unwrap();
    assert_eq!((of_lists.task, of_lists.texts()), (of_rows.task, of_rows.texts()));
    assert_eq!(of_lists.evaluate(embed).unwrap(), of_rows.evaluate(embed).unwrap());
}

#[test]
fn pairs_may_be_one_row_of_lists() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let pair = |at: usize| json!([text(at), text(at / 2 + 1), at % 2]);
    let row = |pair: Value| json!({"sentence1": pair[0], "sentence2": pair[1], "label": pair[2]});
    lines(&at("rows.jsonl"), &(0..9).map(pair).map(row).collect::<Vec<_>>());
    let list = |of: usize| (0..9).map(pair).map(|pair| pair[of].clone()).collect::<Vec<_>>();
    let lists = json!({"sent1": list(0), "sent2": list(1), "labels": list(2), "other": [1]});
    lines(&at("lists.jsonl"), &[lists]);
    let columns = [("sentence1", "sent1"), ("sentence2", "sent2")];
    let columns = columns.map(|(name, column)| (name.to_owned(), column.to_owned())).into();
    let named = OpenOptions { columns, ..options() };
    same(&at("lists.jsonl"), &named, &at("rows.jsonl"));
    let cell = |of: usize| format!("\"{}\"", json!(list(of)).to_string().replace('"', "\"\""));
    let table = format!("sentence1,sentence2,labels\n{},{},{}\n", cell(0), cell(1), cell(2));
    fs::write(at("lists.csv"), table).unwrap();
    same(&at("lists.csv"), &options(), &at("rows.jsonl"));
}

#[test]
fn categories_may_be_rows_of_lists_in_which_a_text_counts_once() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let row = |at: usize| json!({"sentences": text(at), "labels": at % 3});
    lines(&at("rows.jsonl"), &(0..12).map(row).collect::<Vec<_>>());
    let lists = |of: &[usize]| {
        let labels: Vec<usize> = of.iter().map(|at| at % 3).collect();
        json!({"sentences": of.iter().map(|at| text(*at)).collect::<Vec<_>>(), "labels": labels})
    };
    let first = lists(&[0, 1, 2, 3, 4, 5, 6]);
    let second = json!({"sentences": [text(2), text(7)], "labels": [0, 1]});
    lines(&at("lists/test.jsonl"), &[first, second, lists(&[8, 9, 8, 10, 11])]);
    // What is beside them is nothing to learn from.
    lines(&at("lists/train.jsonl"), &[lists(&[1, 2])]);
    same(&at("lists"), &options(), &at("rows.jsonl"));
}

#[test]
fn lists_that_do_not_belong_together_are_told() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("lists.jsonl");
    let check = |rows: &[Value], words: &[&str]| {
        lines(&path, rows);
        refused(&path, &options(), words);
    };
    let good = json!({"sentences": ["a", "b"], "labels": [1, 2]});
    let short = json!({"sentences": ["a", "b"], "labels": [1]});
    let words = ["line 2", "2 in `sentences`, 1 in `labels`", "as many in each"];
    check(&[good.clone(), short], &words);
    let plain = json!({"sentences": "a", "labels": [1, 2]});
    check(&[good.clone(), plain], &["line 2", "no list in `sentences`, 2 in `labels`"]);
    let one = json!({"sentences": ["a"], "labels": 1});
    check(&[good, one], &["line 2", "1 in `sentences`, no list in `labels`"]);
    check(&[json!({"sentences": [], "labels": []})], &["lists.jsonl` has no row"]);
}
