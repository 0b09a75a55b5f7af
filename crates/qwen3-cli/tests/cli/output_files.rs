//! `--output`: what is in the file after a run that failed, or succeeded.

use crate::command::{Qwen3, on_cpu, qwen3};
use crate::fixtures::embedding_model;
use std::fs;
use std::path::{Path, PathBuf};

const OLD: &str = "results of last week\n";

/// A folder with a file of old results in it.
fn old_results() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.npy");
    fs::write(&path, OLD).unwrap();
    (folder, path)
}

fn embed_to(path: &Path) -> Qwen3 {
    on_cpu("embed", &embedding_model(), ["a", "--output"]).arg(path)
}

/// Expects that this failing run leaves old results alone, and no new file.
#[track_caller]
fn check_failure(run: impl Fn(&Path) -> Qwen3, words: &[&str]) {
    let (folder, old) = old_results();
    run(&old).fails(1, words);
    assert_eq!(fs::read_to_string(&old).unwrap(), OLD, "the old results");
    let new = folder.path().join("new.npy");
    run(&new).fails(1, words);
    assert!(!new.exists(), "an empty file was left behind");
}

#[test]
fn new_results_replace_old_ones() {
    let (_folder, path) = old_results();
    embed_to(&path).succeeds();
    assert!(fs::read(&path).unwrap().starts_with(b"\x93NUMPY"));
}

#[test]
fn a_shorter_result_leaves_nothing_of_a_longer_one() {
    let (_folder, path) = old_results();
    fs::write(&path, "x".repeat(100_000)).unwrap();
    embed_to(&path).args(["--format", "f32"]).succeeds();
    assert_eq!(fs::metadata(&path).unwrap().len(), 32 * 4);
}

#[test]
fn old_results_stay_if_the_model_can_not_be_loaded() {
    let (_folder, path) = old_results();
    qwen3(["embed", "--model", "nosuch", "a", "--output"]).arg(&path).fails(1, &["`nosuch`"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), OLD);
}

#[test]
fn a_model_that_can_not_be_loaded_leaves_no_file() {
    let run = |path: &Path| qwen3(["embed", "--model", "nosuch", "a", "--output"]).arg(path);
    check_failure(run, &["`nosuch`"]);
}

#[test]
fn options_that_the_model_refuses_leave_no_file() {
    check_failure(|path| embed_to(path).args(["--dimensions", "99"]), &["99 dimensions"]);
    check_failure(|path| embed_to(path).args(["--prompt-name", "nosuch"]), &["`nosuch`"]);
}

#[test]
fn a_broken_input_leaves_no_file() {
    let run = |path: &Path| {
        on_cpu("embed", &embedding_model(), ["--output"]).arg(path).stdin(b"\xff\n".as_slice())
    };
    check_failure(run, &["line 1 of `standard input`"]);
}

#[test]
fn a_file_that_can_not_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nosuch").join("vectors.npy");
    embed_to(&nowhere).fails(1, &["can't write", nowhere.to_str().unwrap()]);
    embed_to(folder.path()).fails(1, &["can't write", folder.path().to_str().unwrap()]);
}

#[test]
fn an_unwritable_output_is_found_before_the_model_is_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nosuch").join("vectors.npy");
    let run = qwen3(["embed", "--model", "nosuch", "a", "--output"]).arg(nowhere);
    run.fails(1, &["can't write"]);
}

#[test]
fn a_file_is_not_read_and_written_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("texts.txt");
    fs::write(&path, "a\nb\n").unwrap();
    let run = on_cpu("embed", &embedding_model(), ["--input"]).arg(&path).args(["--output"]);
    run.arg(&path).fails(1, &["texts.txt"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_not_a_success() {
    embed_to(Path::new("/dev/full")).fails(1, &["can't write `/dev/full`", "No space left"]);
}
