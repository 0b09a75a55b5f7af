//! What is wrong with data and settings is told before anything is trained.

use crate::support::{fixture, jsonl, npy, out, run, settings};
use qwen3_train::{DistilData, Error, LabelData, PairData, Settings};
use serde_json::json;
use std::fs;
use std::path::Path;

fn distil(texts: &Path, targets: &Path, settings: Settings) -> Error {
    let (_folder, out) = out();
    let run = run("tiny-embedding", &out, settings, "cpu");
    let error = run.distil(&DistilData::new(texts, targets), &|_| {}).unwrap_err();
    assert!(!out.join("model.safetensors").exists());
    error
}

#[test]
fn files_that_do_not_go_together_are_told() {
    let (folder, _) = out();
    let path = |name: &str| folder.path().join(name);
    let texts = jsonl(&path("texts.jsonl"), [json!({"text": "a"}), json!({"text": "b"})]);
    let good = npy(&path("good.npy"), &[vec![1.0, 0.0], vec![0.0, 1.0]]);
    let one = npy(&path("one.npy"), &[vec![1.0, 0.0]]);
    let wide = npy(&path("wide.npy"), &[vec![1.0; 33], vec![1.0; 33]]);
    let nan = npy(&path("nan.npy"), &[vec![1.0], vec![f32::NAN]]);
    let empty = jsonl(&path("empty.jsonl"), []);
    let bare = jsonl(&path("bare.jsonl"), [json!({"text": "a"}), json!({"txt": "b"})]);
    let nowhere = path("nowhere.jsonl");
    let broken = path("broken.jsonl");
    fs::write(&broken, "{\"text\": \"a\"}\n{\"text\"\n").unwrap();
    let blank = path("blank.jsonl");
    fs::write(&blank, "{\"text\": \"a\"}\n\n{\"text\": \"b\"}\n").unwrap();
    for (texts, targets, expected) in [
        (&texts, &one, "has 1 rows, and"),
        (&texts, &wide, "33 numbers, the model's have 32"),
        (&texts, &nan, "row 1 of"),
        (&texts, &texts, "no array"),
        (&empty, &good, "no row"),
        (&bare, &good, "line 2 of"),
        (&bare, &good, "no text in the column `text`"),
        (&broken, &good, "line 2 of"),
        (&blank, &good, "line 2 of"),
        (&nowhere, &good, "can't read"),
    ] {
        let error = distil(texts, targets, settings(2, 1, 1e-3)).to_string();
        assert!(error.contains(expected), "{error} without {expected}");
    }
}

#[test]
fn settings_that_can_not_be_meant_are_told() {
    let (folder, _) = out();
    let texts = jsonl(&folder.path().join("texts.jsonl"), [json!({"text": "a"})]);
    let targets = npy(&folder.path().join("targets.npy"), &[vec![1.0, 0.0]]);
    let wrong = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(2, 1, 1e-3);
        change(&mut settings);
        distil(&texts, &targets, settings).to_string()
    };
    for (change, expected) in [
        (&(|s: &mut Settings| s.batch_size = 0) as &dyn Fn(&mut Settings), "`batch_size` is 0"),
        (&|s| s.learning_rate = -1.0, "`learning_rate` is -1"),
        (&|s| s.learning_rate = f64::NAN, "`learning_rate` is NaN"),
        (&|s| s.length = qwen3_train::Length::Epochs(0.0), "`epochs` is 0"),
        (&|s| s.dimensions = vec![64], "`dimensions` is 64"),
        (&|s| s.patience = Some(1), "held_out"),
        (&|s| s.resume = true, "no checkpoint"),
        (&|s| s.micro_batch_tokens = Some(1 << 40), "out of memory"),
    ] {
        let error = wrong(change);
        assert!(error.contains(expected), "{error} without {expected}");
    }
}

#[test]
fn columns_of_pairs_are_checked() {
    let (folder, out) = out();
    let rows = jsonl(
        &folder.path().join("pairs.jsonl"),
        [json!({"anchor": "a", "positive": "b", "negative": ["c", 4]})],
    );
    let run_on = |model| run(model, &out, settings(2, 1, 1e-3), "cpu");
    let error = run_on("tiny-embedding").embedding(&PairData::new(&rows), &|_| {}).unwrap_err();
    assert!(error.to_string().contains("`negative`"), "{error}");
    let rows = jsonl(
        &folder.path().join("labels.jsonl"),
        [json!({"query": "a", "document": "b", "label": 2})],
    );
    let error = run_on("tiny-seq-cls").reranker(&LabelData::new(&rows), &|_| {}).unwrap_err();
    assert!(error.to_string().contains("number from 0 to 1"), "{error}");
    let error = run_on("tiny-embedding").reranker(&LabelData::new(&rows), &|_| {}).unwrap_err();
    assert!(error.to_string().contains("looks like"), "{error}");
}

#[test]
fn nothing_is_written_over_what_is_there() {
    let (folder, out) = out();
    let texts = jsonl(&folder.path().join("texts.jsonl"), [json!({"text": "a"})]);
    let targets = npy(&folder.path().join("targets.npy"), &[vec![1.0, 0.0]]);
    let data = DistilData::new(texts, targets);
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine.txt"), "mine").unwrap();
    let mut run_once = run("tiny-embedding", &out, settings(1, 1, 1e-3), "cpu");
    let error = run_once.distil(&data, &|_| {}).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    run_once.settings.force = true;
    run_once.distil(&data, &|_| {}).unwrap();
    assert_eq!(fs::read(out.join("mine.txt")).unwrap(), b"mine");
    let own = run("tiny-embedding", &fixture("tiny-embedding"), settings(1, 1, 1e-3), "cpu");
    let error = own.distil(&data, &|_| {}).unwrap_err();
    assert!(matches!(error, Error::OwnSource { .. }), "{error}");
}

#[test]
fn a_learning_rate_that_is_too_large_is_told_with_the_step() {
    let (folder, out) = out();
    let texts = (0..8).map(|index| json!({"text": format!("text {index}")}));
    let texts = jsonl(&folder.path().join("texts.jsonl"), texts);
    let rows: Vec<Vec<f32>> = (0..8).map(|index| vec![1.0, index as f32]).collect();
    let targets = npy(&folder.path().join("targets.npy"), &rows);
    let run = run("tiny-embedding", &out, settings(8, 20, 1e30), "cpu");
    let error = run.distil(&DistilData::new(texts, targets), &|_| {}).unwrap_err();
    let Error::Diverged { step, .. } = error else { panic!("{error}") };
    assert!(step > 1, "{step}");
    assert!(out.join("checkpoint/state.json").exists());
}
