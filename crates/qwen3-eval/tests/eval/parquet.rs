//! Data in Parquet, as a snapshot of the hub has them: the same scores as of lines of JSON.

use crate::bench::{embed, folder, lines, options, refused};
use qwen3_eval::TaskData;
use qwen3_tables::{InputFile, OutputFormat, Table, TableFormat, TableWriter};
use serde_json::json;
use std::fs::{self, File};
use std::path::Path;
use tempfile::TempDir;

/// Writes a file of lines of JSON as Parquet, in pieces of so many rows, called `NAME-00000-of-…`.
fn to_pieces(jsonl: &Path, folder: &Path, name: &str, rows: usize) {
    let file = InputFile { path: jsonl.to_owned(), format: TableFormat::JsonLines };
    let table = Table::open(&file).unwrap();
    let schema = table.schema().clone();
    let batch = table.batches(None, &schema).unwrap().next().unwrap().unwrap();
    let count = batch.num_rows().div_ceil(rows);
    fs::create_dir_all(folder).unwrap();
    for piece in 0..count {
        let path = folder.join(format!("{name}-{piece:05}-of-{count:05}.parquet"));
        let file = File::create(&path).unwrap();
        let mut writer = TableWriter::new(file, &path, OutputFormat::Parquet, &schema).unwrap();
        let start = piece * rows;
        writer.write(&batch.slice(start, rows.min(batch.num_rows() - start))).unwrap();
        writer.finish().unwrap();
    }
}

/// All scores of data.
fn scores(path: &Path) -> String {
    let data = TaskData::open(path, &options()).unwrap();
    let evaluation = data.evaluate(embed).unwrap();
    format!("{:?}", evaluation.scores.as_map())
}

#[test]
fn a_snapshot_of_the_hub_has_the_scores_of_the_same_folder_in_lines() {
    let of_lines = folder();
    let at = |name: &str| of_lines.path().join(name);
    let judged =
        |query: &str, document: &str| json!({"query-id": query, "corpus-id": document, "score": 1});
    lines(&at("qrels/test.jsonl"), &[judged("d3", "d1"), judged("q4", "d2"), judged("q4", "d3")]);
    let expected = scores(of_lines.path());
    // Of one configuration a name, and of one that is the default.
    for (corpus, queries, qrels) in
        [("test", "test", "qrels"), ("corpus", "queries", "data"), ("corpus", "queries", "default")]
    {
        let snapshot = TempDir::new().unwrap();
        let to = |name: &str| snapshot.path().join(name);
        to_pieces(&at("corpus.jsonl"), &to("corpus"), corpus, 2);
        to_pieces(&at("queries.jsonl"), &to("queries"), queries, 9);
        to_pieces(&at("qrels/test.jsonl"), &to(qrels), "test", 1);
        assert_eq!(scores(snapshot.path()), expected, "{qrels}");
        fs::remove_file(to("corpus").join(format!("{corpus}-00001-of-00002.parquet"))).unwrap();
        refused(snapshot.path(), &options(), &["-00001-of-00002.parquet"]);
    }
}

#[test]
fn rows_of_labels_and_lists_are_read_from_parquet() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let row =
        |query: &str, label: f64| json!({"sentence1": query, "sentence2": "b", "score": label});
    lines(&at("pairs.jsonl"), &[row("a", 0.5), row("bb", 1.0), row("ccc", 3.5)]);
    let group =
        |query: &str| json!({"query": query, "positive": ["a", query], "negative": ["b", "c"]});
    lines(&at("groups.jsonl"), &[group("a"), group("bb")]);
    let labels = |text: &str, label: i64| json!({"text": text, "labels": [label, label % 2]});
    lines(&at("clusters.jsonl"), &[labels("a", 1), labels("b", 2), labels("c", 1)]);
    for name in ["pairs", "groups", "clusters"] {
        let expected = scores(&at(&format!("{name}.jsonl")));
        to_pieces(&at(&format!("{name}.jsonl")), &at(name).join("data"), "test", 2);
        assert_eq!(scores(&at(name)), expected, "{name}");
    }
}
