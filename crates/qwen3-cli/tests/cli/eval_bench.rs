//! What the tests of `qwen3 eval` share: data, and a folder for vectors.

use crate::command::{Qwen3, on_cpu};
use crate::fixtures::embedding_model;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub const TEXTS: [&str; 8] = [
    "A force.",
    "中国的首都是北京。",
    "The capital of China is Beijing.",
    "fn main() {}",
    "Water boils at one hundred degrees.",
    "A bicycle has two wheels.",
    "the quick brown fox",
    "Bread is baked in an oven.",
];

/// Data, and a folder for vectors.
pub struct Bench(TempDir);

impl Bench {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn lines(&self, name: &str, rows: impl IntoIterator<Item = Value>) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text: String = rows.into_iter().map(|row| format!("{row}\n")).collect();
        fs::write(&path, text).unwrap();
        path
    }

    /// Documents, and queries of which each is the text of the document that it asks for.
    pub fn retrieval(&self) -> PathBuf {
        let row = |of: &'static str| {
            let texts = TEXTS.iter().enumerate();
            texts.map(move |(at, text)| json!({"_id": format!("{of}{at}"), "text": text}))
        };
        self.lines("facts/corpus.jsonl", row("d"));
        self.lines("facts/queries.jsonl", row("q"));
        let judged = (0..TEXTS.len()).map(|at| format!("q{at}\td{at}\t1\n"));
        fs::create_dir_all(self.at("facts/qrels")).unwrap();
        let qrels: String = judged.collect();
        fs::write(self.at("facts/qrels/test.tsv"), format!("query-id\tcorpus-id\tscore\n{qrels}"))
            .unwrap();
        self.at("facts")
    }

    /// Pairs of texts with scores.
    pub fn pairs(&self) -> PathBuf {
        let row = |(at, pair): (usize, &[&str])| json!({"sentence1": pair[0], "sentence2": pair[1], "score": at % 4});
        self.lines("pairs.jsonl", TEXTS.windows(2).enumerate().map(row))
    }

    /// A run file in which some queries find their own document first.
    pub fn run(&self, name: &str, queries: &[usize]) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let line = |at: &usize| format!("q{at} Q0 d{at} 1 2.0 t\n");
        fs::write(&path, queries.iter().map(line).collect::<String>()).unwrap();
        path
    }

    /// An evaluation of this with the tiny model.
    pub fn eval(&self, data: &Path, arguments: &[&str]) -> Qwen3 {
        let run = on_cpu("eval", &embedding_model(), ["--quiet", "--cache"]);
        run.arg(self.at("vectors")).arg(data).args(arguments.iter().copied())
    }

    /// The results of one data set.
    #[track_caller]
    pub fn results(&self, data: &Path, arguments: &[&str]) -> Vec<Value> {
        let value = self.eval(data, arguments).succeeds().json();
        value[0]["results"].as_array().unwrap().clone()
    }

    /// What was kept of vectors: files and their bytes.
    pub fn kept(&self) -> Vec<(PathBuf, u64)> {
        let entries = fs::read_dir(self.at("vectors")).into_iter().flatten().flatten();
        let mut files: Vec<_> =
            entries.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect();
        files.sort();
        files
    }
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}
