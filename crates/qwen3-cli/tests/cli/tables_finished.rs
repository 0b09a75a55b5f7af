//! A file that a run has finished stays, unless it is told to begin anew.

use crate::command::Qwen3;
use crate::table_files::{batch, embed, write};
use std::fs;
use std::path::Path;

const FORMATS: [&str; 4] = ["parquet", "arrow", "jsonl", "npy"];

fn run(folder: &Path, output: &str) -> Qwen3 {
    let run = embed(&folder.join("in.parquet"), &folder.join(output));
    run.args(["--text-column", "body"])
}

#[test]
fn the_same_run_finds_its_file_complete_and_another_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for format in FORMATS {
        write(&at("in.parquet"), &[batch(0..9)]);
        let output = format!("out.{format}");
        let run = || run(folder.path(), &output);
        run().succeeds();
        let whole = fs::read(at(&output)).unwrap();
        let again = run().succeeds();
        assert!(again.stderr.contains("is complete already"), "{format}: {again:?}");
        let summary = again.json();
        assert_eq!((&summary["rows"], &summary["texts"]), (&9.into(), &0.into()), "{format}");
        run().args(["--dimensions", "16"]).fails(1, &["dimensions 32", "has 16", "--force"]);
        write(&at("in.parquet"), &[batch(1..10)]);
        run().fails(1, &["is complete, but of other files", "--force"]);
        assert_eq!(fs::read(at(&output)).unwrap(), whole, "{format}");
        run().args(["--force"]).succeeds();
        assert_ne!(fs::read(at(&output)).unwrap(), whole, "{format}");
        assert!(!at(&format!("{output}.parts")).exists());
    }
}

#[test]
fn a_file_of_somebody_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..9)]);
    for format in FORMATS {
        let output = format!("out.{format}");
        fs::write(at(&output), "mine\n").unwrap();
        let run = || run(folder.path(), &output);
        run().fails(1, &["exists", "--force"]);
        assert_eq!(fs::read_to_string(at(&output)).unwrap(), "mine\n");
        run().args(["--force"]).succeeds();
        // What `mktemp` makes is nobody's.
        fs::write(at(&output), "").unwrap();
        run().succeeds();
    }
}

#[test]
fn a_file_that_was_changed_since_is_not_complete() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..9)]);
    for format in FORMATS {
        let output = format!("out.{format}");
        run(folder.path(), &output).succeeds();
        let whole = fs::read(at(&output)).unwrap();
        fs::write(at(&output), &whole[..whole.len() - 3]).unwrap();
        run(folder.path(), &output).fails(1, &["exists", "--force"]);
    }
}
