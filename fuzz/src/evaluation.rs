//! Data of `qwen3 eval`.

use qwen3_eval::{Error, OpenOptions, Role, Rows, TaskData, read_lists, read_qrels, read_run};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// Gone when the process ends in peace.
static SCRATCH: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

/// A folder of queries and documents, and what else may be in it.
const FOLDER: [(&str, &str); 3] = [
    (
        "corpus.jsonl",
        "{\"_id\": \"d1\", \"title\": \"A\", \"text\": \"a\"}\n{\"_id\": \"d2\", \"text\": \"bb\"}\n",
    ),
    (
        "queries.jsonl",
        "{\"_id\": \"q1-og\", \"text\": \"a\"}\n{\"_id\": \"q1-changed\", \"text\": \"c\"}\n",
    ),
    (
        "qrels/test.tsv",
        "query-id\tcorpus-id\tscore\nq1-og\td1\t1\nq1-og\td2\t1\nq1-changed\td1\t1\n",
    ),
];
const BESIDE: [&str; 4] =
    ["qrels/test.jsonl", "top_ranked.jsonl", "top_ranked/test.jsonl", "qrel_diff.jsonl"];

/// The bytes as a table of each kind, as judgements, lists and a run. What can be opened is
/// evaluated with vectors that say little.
pub fn evaluation(data: &[u8]) {
    for name in ["rows.jsonl", "rows.csv", "rows.tsv"] {
        let path = SCRATCH.path().join(name);
        fs::write(&path, data).expect("the folder is ours");
        evaluate(&path, OpenOptions::default());
        evaluate(&path, OpenOptions { train: Some(path.clone()), ..OpenOptions::default() });
        let _ = read_lists(&path);
        if let Ok(qrels) = read_qrels(&path) {
            assert!(!qrels.is_empty());
        }
        if let Ok(run) = read_run(&path) {
            assert!(run.queries().all(|(_, hits)| hits.iter().all(|hit| !hit.score.is_nan())));
        }
    }
}

/// A folder of queries and documents of which one file is another: its name, a line break, its
/// content.
pub fn ranking(data: &[u8]) {
    let Some(end) = data.iter().position(|&byte| byte == b'\n') else { return };
    let (name, content) = (&data[..end], &data[end + 1..]);
    let mut names = FOLDER.iter().map(|(name, _)| *name).chain(BESIDE);
    let Some(name) = names.find(|known| known.as_bytes() == name) else { return };
    let folder = SCRATCH.path().join("ranking");
    for lists in ["qrels", "top_ranked"] {
        fs::create_dir_all(folder.join(lists)).expect("the folder is ours");
    }
    for (name, content) in FOLDER {
        fs::write(folder.join(name), content).expect("the folder is ours");
    }
    if name == "qrels/test.jsonl" {
        fs::remove_file(folder.join("qrels/test.tsv")).expect("it was written");
    }
    fs::write(folder.join(name), content).expect("the folder is ours");
    evaluate(&folder, OpenOptions::default());
    fs::remove_file(folder.join(name)).expect("it was written");
}

fn evaluate(path: &Path, options: OpenOptions) {
    let options = OpenOptions { split: "test".to_owned(), ..options };
    let Ok(data) = TaskData::open(path, &options) else { return };
    let embed = |_: Role, texts: &[String]| {
        let numbers = texts.iter().flat_map(|text| [1.0, text.len() as f32]).collect();
        Ok::<_, Error>(Rows { numbers, width: 2 })
    };
    let _ = data.evaluate(embed);
}
