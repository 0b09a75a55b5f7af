//! Data of `qwen3 eval`.

use qwen3_eval::{Error, OpenOptions, Role, Rows, TaskData, read_lists, read_qrels, read_run};
use std::fs;
use std::sync::LazyLock;
use tempfile::TempDir;

/// Gone when the process ends in peace.
static SCRATCH: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

/// The bytes as a table of each kind, as judgements, lists and a run. What can be opened is
/// evaluated with vectors that say little.
pub fn evaluation(data: &[u8]) {
    let options = OpenOptions { split: "test".to_owned(), ..OpenOptions::default() };
    for name in ["rows.jsonl", "rows.csv", "rows.tsv"] {
        let path = SCRATCH.path().join(name);
        fs::write(&path, data).expect("the folder is ours");
        let Ok(data) = TaskData::open(&path, &options) else { continue };
        let embed = |_: Role, texts: &[String]| {
            let numbers = texts.iter().flat_map(|text| [1.0, text.len() as f32]).collect();
            Ok::<_, Error>(Rows { numbers, width: 2 })
        };
        let _ = data.evaluate(embed);
        let _ = read_lists(&path);
        if let Ok(qrels) = read_qrels(&path) {
            assert!(!qrels.is_empty());
        }
        if let Ok(run) = read_run(&path) {
            assert!(run.queries().all(|(_, hits)| hits.iter().all(|hit| !hit.score.is_nan())));
        }
    }
}
