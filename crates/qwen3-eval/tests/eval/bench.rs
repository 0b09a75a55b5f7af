//! Small data on the disk, and vectors of their texts.

use qwen3_eval::{Error, OpenOptions, Role, Rows, TaskData};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub fn lines(path: &Path, rows: &[Value]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
}

pub fn options() -> OpenOptions {
    OpenOptions { split: "test".to_owned(), ..OpenOptions::default() }
}

#[track_caller]
pub fn refused(path: &Path, options: &OpenOptions, words: &[&str]) {
    let told = TaskData::open(path, options).map(|data| data.task).unwrap_err().to_string();
    assert!(words.iter().all(|word| told.contains(word)), "{told}");
}

/// Vectors that differ as texts do.
pub fn embed(_: Role, texts: &[String]) -> Result<Rows, Error> {
    let of = |text: &String| {
        let bytes = || text.bytes().map(f32::from);
        [bytes().sum::<f32>(), bytes().enumerate().map(|(at, x)| at as f32 * x).sum(), 7.0]
    };
    Ok(Rows { numbers: texts.iter().flat_map(of).collect(), width: 3 })
}

/// Two queries, with and without changed instructions, and three documents.
pub fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let texts = |ids: &[&str]| -> Vec<Value> {
        ids.iter().map(|id| json!({"_id": id, "text": format!("text of {id}")})).collect()
    };
    lines(&at("corpus.jsonl"), &texts(&["d1", "d2", "d3"]));
    lines(&at("queries.jsonl"), &texts(&["q1-og", "q1-changed", "d3", "q4"]));
    let judged = |query: &str| json!({"query-id": query, "corpus-id": "d1", "score": 1});
    lines(&at("qrels/test.jsonl"), &["q1-og", "q1-changed", "d3"].map(judged));
    folder
}
