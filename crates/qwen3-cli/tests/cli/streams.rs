//! Pipes that close, and Ctrl-C.

use crate::command::{Qwen3, finish, on_cpu, qwen3};
use crate::fixtures::{embedding_model, folder};
use crate::vectors::of_npy;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command};
use std::thread;
use std::time::{Duration, Instant};

/// An embed that reads empty lines for ever, and its rows.
fn endless_embed() -> (Child, BufReader<ChildStdout>) {
    let mut child = on_cpu("embed", &embedding_model(), []).start();
    write_for_ever(child.stdin.take().unwrap());
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

/// Writes lines until nobody reads them any more.
fn write_for_ever(mut stdin: ChildStdin) {
    thread::spawn(move || while stdin.write_all(&[b'\n'; 1_024]).is_ok() {});
}

/// Ctrl-C.
pub fn interrupt(child: &Child) {
    signal(child, "-INT");
}

/// Sends a signal, such as `-TERM`.
pub fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn an_interrupt_ends_a_run_and_keeps_what_was_finished() {
    let (child, mut stdout) = endless_embed();
    let mut rows = String::new();
    stdout.read_line(&mut rows).unwrap();
    interrupt(&child);
    stdout.read_to_string(&mut rows).unwrap();
    let outcome = finish(child, "embed, interrupted");
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    assert!(rows.ends_with("}\n"), "the last line is whole");
    let n_rows = rows.lines().count();
    for (index, row) in rows.lines().enumerate() {
        let row: Value = serde_json::from_str(row).unwrap();
        assert_eq!(row["index"], index);
        assert_eq!(row["embedding"].as_array().map(Vec::len), Some(32));
    }
    assert!(outcome.stderr.contains(&format!("{n_rows} texts were finished")), "{outcome:?}");
}

/// Waits until an unfinished file is in the folder that `is_there` accepts by its length.
fn wait_for_unfinished(folder: &Path, is_there: impl Fn(u64) -> bool) {
    let started = Instant::now();
    let is_unfinished = |path: &Path| {
        path.extension().is_some_and(|ending| ending == "part")
            && path.metadata().is_ok_and(|file| is_there(file.len()))
    };
    while !std::fs::read_dir(folder).unwrap().flatten().any(|entry| is_unfinished(&entry.path())) {
        assert!(started.elapsed() < Duration::from_secs(120), "nothing was written");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Interrupts a run once vectors are in its unfinished file, and expects that the file then
/// holds as many rows as the message says.
#[track_caller]
fn check_interrupted_file(format: &str, by: &str, n_rows: impl Fn(&[u8]) -> usize) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("vectors");
    let run = on_cpu("embed", &embedding_model(), ["--format", format, "--output"]);
    let mut child = run.arg(&output).start();
    write_for_ever(child.stdin.take().unwrap());
    wait_for_unfinished(folder.path(), |bytes| bytes > 0);
    signal(&child, by);
    let outcome = finish(child, format);
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    let n_rows = n_rows(&std::fs::read(&output).unwrap());
    assert!(
        n_rows > 0 && outcome.stderr.contains(&format!("{n_rows} texts were finished")),
        "{outcome:?}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn an_interrupt_leaves_valid_files_behind() {
    let array = |bytes: &[u8]| serde_json::from_slice::<Vec<Value>>(bytes).unwrap().len();
    let lines = |bytes: &[u8]| {
        let lines = bytes.split_inclusive(|&byte| byte == b'\n');
        lines.filter(|line| array_of_numbers(line) == 32).count()
    };
    check_interrupted_file("json", "-INT", array);
    check_interrupted_file("json", "-TERM", array);
    check_interrupted_file("npy", "-INT", |bytes| of_npy(bytes).len());
    check_interrupted_file("npy", "-TERM", |bytes| of_npy(bytes).len());
    check_interrupted_file("jsonl", "-TERM", lines);
}

#[test]
fn an_interrupt_is_heard_while_waiting_for_input() {
    let folder = tempfile::tempdir().unwrap();
    let run = on_cpu("embed", &embedding_model(), ["--output"]);
    let mut child = run.arg(folder.path().join("vectors")).start();
    let stdin = child.stdin.take().unwrap();
    // The output is opened before the first text is waited for.
    wait_for_unfinished(folder.path(), |_| true);
    interrupt(&child);
    let is_heard = ends_while_its_input_is_open(&mut child);
    drop(stdin);
    let outcome = finish(child, "embed, waiting");
    assert!(is_heard, "it waits for input for ever");
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}

/// A line of JSON with a vector.
fn array_of_numbers(line: &[u8]) -> usize {
    serde_json::from_slice::<Value>(line).unwrap()["embedding"].as_array().unwrap().len()
}

/// Waits for the end of a run whose input stays open, for half a minute.
pub fn ends_while_its_input_is_open(child: &mut Child) -> bool {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(20));
    }
    child.try_wait().unwrap().is_some()
}

#[test]
fn a_run_that_fails_does_not_wait_for_more_input() {
    let mut child = on_cpu("embed", &embedding_model(), ["--dimensions", "33"]).start();
    let mut stdin = child.stdin.take().unwrap();
    // More than is read at one time; what follows never comes.
    stdin.write_all(&[b'\n'; 5_000]).unwrap();
    let is_over = ends_while_its_input_is_open(&mut child);
    drop(stdin);
    let outcome = finish(child, "embed, failed");
    assert!(is_over, "it waits for input for ever");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("33"), "{outcome:?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (child, mut stdout) = endless_embed();
    let mut row = String::new();
    stdout.read_line(&mut row).unwrap();
    drop(stdout);
    let outcome = finish(child, "embed | head -1");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    serde_json::from_str::<Value>(&row).unwrap();
}

/// Expects that a run whose output nobody reads ends quietly.
#[track_caller]
fn check_closed(run: Qwen3) {
    let mut child = run.start();
    drop((child.stdin.take(), child.stdout.take()));
    let outcome = finish(child, "| true");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
}

#[test]
fn every_command_ends_quietly_if_nobody_reads() {
    check_closed(on_cpu("embed", &embedding_model(), ["a"]));
    check_closed(on_cpu("embed", &embedding_model(), ["a", "--format", "npy"]));
    check_closed(on_cpu("similarity", &embedding_model(), ["--query", "a", "--document", "b"]));
    check_closed(on_cpu("rerank", &folder("tiny-reranker-tied"), ["--query", "a", "b"]));
    check_closed(qwen3(["devices"]));
    check_closed(qwen3(["info", "--model"]).arg(embedding_model()));
    check_closed(qwen3(["--help"]));
}

#[test]
fn completions_end_quietly_if_nobody_reads() {
    check_closed(qwen3(["completions", "bash"]));
}

#[test]
fn statistics_that_nobody_reads_are_no_error() {
    let mut child = on_cpu("embed", &embedding_model(), ["a", "--stats"]).start();
    drop((child.stdin.take(), child.stderr.take()));
    let outcome = finish(child, "2> a closed pipe");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.jsonl().len(), 1);
}
