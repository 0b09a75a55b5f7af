//! `qwen3 train` and `qwen3 merge`, from files to models that other commands load.

use crate::command::{finish, on_cpu, qwen3};
use crate::fixtures::embedding_model;
use crate::streams::signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Texts and their vectors, made by the command itself.
fn data(folder: &Path) -> [PathBuf; 2] {
    let (texts, targets) = (folder.join("texts.jsonl"), folder.join("targets.npy"));
    let lines = (0..64).map(|i| format!("{{\"text\": \"text {} of {}\"}}\n", i % 8, i / 8));
    fs::write(&texts, lines.collect::<String>()).unwrap();
    let run = on_cpu("embed", &embedding_model(), ["--field", "text", "--dimensions", "8"]);
    run.args(["--input"]).arg(&texts).args(["--output"]).arg(&targets).succeeds();
    [texts, targets]
}

/// `qwen3 train distil` on them.
fn distil(folder: &Path, out: &Path, arguments: &[&str]) -> crate::command::Qwen3 {
    let [texts, targets] = ["texts.jsonl", "targets.npy"].map(|name| folder.join(name));
    let run = qwen3(["train", "distil", "--device", "cpu", "--model"]).arg(embedding_model());
    let run = run.args(["--texts"]).arg(texts).args(["--targets"]).arg(targets);
    run.args(["--out"]).arg(out).args(arguments.iter().copied())
}

#[test]
fn a_model_that_was_trained_embeds() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let out = folder.path().join("out");
    let outcome = distil(folder.path(), &out, &["--steps", "3", "--batch-size", "16"]).succeeds();
    assert_eq!(outcome.text().trim_end(), out.to_string_lossy());
    on_cpu("embed", &out, ["a text"]).succeeds();
    let log = fs::read_to_string(out.join("log.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 3, "{log}");
}

#[test]
fn a_run_that_is_stopped_goes_on() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let out = folder.path().join("out");
    let arguments = ["--steps", "100000", "--batch-size", "16"];
    let child = distil(folder.path(), &out, &arguments).start();
    while !fs::read_to_string(out.join("log.jsonl")).is_ok_and(|log| log.lines().count() > 2) {
        thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "-INT");
    let outcome = finish(child, "training");
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    assert!(outcome.stderr.contains("goes on"), "{outcome:?}");
    assert!(out.join("checkpoint/state.json").exists());
    // With another number of steps it is another run.
    let other = ["--steps", "3", "--batch-size", "16"];
    distil(folder.path(), &out, &other).fails(1, &["`steps`", "`force`"]);
}

#[test]
fn an_adapter_becomes_a_model() {
    let folder = TempDir::new().unwrap();
    data(folder.path());
    let [adapter, merged] = ["adapter", "merged"].map(|name| folder.path().join(name));
    let arguments = ["--steps", "2", "--batch-size", "16", "--lora-rank", "2"];
    distil(folder.path(), &adapter, &arguments).succeeds();
    let run = qwen3(["merge", "--model"]).arg(embedding_model());
    run.args(["--adapter"]).arg(&adapter).args(["--out"]).arg(&merged).succeeds();
    on_cpu("embed", &merged, ["a text"]).succeeds();
}
