//! Distilling, and runs that are ended and go on.

use crate::support::{Seen, bytes, jsonl, npy, out, run, settings, vectors};
use qwen3_engine::{CancelToken, Dtype};
use qwen3_train::{DistilData, Error, Event, Settings};
use serde_json::json;
use std::path::Path;

/// Texts of two letters; a teacher sees the first and the second of them apart.
fn data(folder: &Path) -> DistilData {
    let letters: Vec<char> = ('a'..='z').collect();
    let (mut texts, mut targets) = (vec![], vec![]);
    for (i, first) in letters.iter().enumerate() {
        for (j, second) in letters.iter().enumerate() {
            texts.push(json!({"text": format!("{first} and {second}")}));
            let angle = |index: usize, place: f32| ((index + 1) as f32 * place).sin();
            targets.push(
                (1..=4)
                    .map(|k| angle(i, k as f32))
                    .chain((1..=4).map(|k| angle(j, k as f32 + 0.5)))
                    .collect(),
            );
        }
    }
    let is_held_out = |index: &usize| index % 7 == 3;
    let part = |held_out: bool, name: &str| {
        let indices: Vec<usize> = (0..texts.len()).filter(|i| is_held_out(i) == held_out).collect();
        let rows: Vec<Vec<f32>> = indices.iter().map(|&i| Vec::clone(&targets[i])).collect();
        let texts =
            jsonl(&folder.join(format!("{name}.jsonl")), indices.iter().map(|&i| texts[i].clone()));
        (texts, npy(&folder.join(format!("{name}.npy")), &rows))
    };
    let (texts, targets) = part(false, "train");
    let mut data = DistilData::new(texts, targets);
    data.held_out = Some(part(true, "held-out"));
    data
}

fn short() -> Settings {
    let mut settings = settings(32, 12, 3e-3);
    settings.measure_every = 5;
    settings.dimensions = vec![8, 4];
    settings
}

#[test]
fn a_student_learns_vectors_of_texts_that_it_has_not_seen() {
    let (folder, out) = out();
    let seen = Seen::default();
    let run = run("tiny-embedding", &out, settings(64, 150, 5e-3), "cpu");
    let finished = run.distil(&data(folder.path()), &|event| seen.hear(event)).unwrap();
    let [before, after] = seen.before_and_after("cosine");
    assert!(before < 0.3 && after > 0.8, "{before} {after}");
    let [_, spearman] = seen.before_and_after("spearman");
    assert!(spearman > 0.6, "{spearman}");
    assert_eq!((finished.steps, finished.measures["cosine"]), (150, after));
    for name in ["log.jsonl", "loss.svg", "README.md", "model.safetensors", "tokenizer.json"] {
        assert!(!bytes(&out, name).is_empty(), "{name}");
    }
    assert!(!out.join("checkpoint").exists());
    assert_eq!(vectors(&out, &["a and b"])[0].len(), 32);
}

#[test]
fn products_in_bfloat16_teach_as_well() {
    let (folder, out) = out();
    let seen = Seen::default();
    let mut run = run("tiny-embedding", &out, settings(64, 150, 5e-3), "cpu");
    run.options = run.options.dtype(Dtype::Bf16);
    let mut data = data(folder.path());
    // The order of the nearest is learned beside the rest.
    data.ranking_weight = 0.1;
    run.distil(&data, &|event| seen.hear(event)).unwrap();
    let [before, after] = seen.before_and_after("cosine");
    assert!(before < 0.3 && after > 0.8, "{before} {after}");
}

/// Runs until a step is done, as if Ctrl-C came then.
fn until(run: &qwen3_train::Run, data: &DistilData, last: u64) -> Error {
    let mut run = run.clone();
    let cancel = CancelToken::default();
    run.options.hooks.cancel = cancel.clone();
    let hear = |event: &Event| {
        if matches!(event, Event::Step { record, .. } if record.step == last && record.loss.is_some())
        {
            cancel.cancel();
        }
    };
    run.distil(data, &hear).unwrap_err()
}

#[test]
fn a_run_that_is_ended_goes_on_to_the_same_bits() {
    let (folder, whole) = out();
    let data = data(folder.path());
    run("tiny-embedding", &whole, short(), "cpu").distil(&data, &|_| {}).unwrap();
    let parts = folder.path().join("parts");
    let run = run("tiny-embedding", &parts, short(), "cpu");
    // In the first epoch; after a step after which held-out data is looked at; in between.
    for last in [3, 5, 7] {
        let error = until(&run, &data, last);
        assert!(matches!(error, Error::Stopped { step, .. } if step == last), "{error}");
        assert!(error.to_string().contains("goes on"), "{error}");
    }
    let mut resumed = run.clone();
    resumed.settings.resume = true;
    resumed.distil(&data, &|_| {}).unwrap();
    assert_eq!(bytes(&whole, "model.safetensors"), bytes(&parts, "model.safetensors"));
    let numbers = |folder: &Path| -> Vec<serde_json::Value> {
        let log = String::from_utf8(bytes(folder, "log.jsonl")).unwrap();
        let lines = log.lines().map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            line.as_object_mut().unwrap().remove("tokens_per_second");
            line
        });
        lines.collect()
    };
    assert_eq!(numbers(&whole), numbers(&parts));
}

#[test]
fn a_run_goes_on_with_its_own_settings_alone() {
    let (folder, out) = out();
    let data = data(folder.path());
    until(&run("tiny-embedding", &out, short(), "cpu"), &data, 2);
    let mut other = short();
    other.learning_rate = 1e-4;
    let error = run("tiny-embedding", &out, other, "cpu").distil(&data, &|_| {}).unwrap_err();
    let Error::OtherRun { setting, saved, now, .. } = &error else { panic!("{error}") };
    assert_eq!(
        (setting.as_str(), saved.as_str(), now.as_str()),
        ("learning_rate", "0.003", "0.0001")
    );
}

#[test]
fn the_weights_of_the_best_look_are_kept() {
    let (folder, out) = out();
    // So large that it gets worse.
    let mut settings = settings(32, 60, 0.5);
    settings.measure_every = 5;
    settings.patience = Some(2);
    let seen = Seen::default();
    let run = run("tiny-embedding", &out, settings, "cpu");
    let finished = run.distil(&data(folder.path()), &|event| seen.hear(event)).unwrap();
    assert!(finished.steps < 60, "{finished:?}");
    let best = seen
        .0
        .lock()
        .unwrap()
        .iter()
        .filter_map(|record| record.held_out.get("cosine").copied())
        .fold(f64::MIN, f64::max);
    assert_eq!(finished.measures["cosine"], best);
}

#[test]
fn small_micro_batches_change_rounding_alone() {
    let (folder, one) = out();
    let data = data(folder.path());
    let many = folder.path().join("many");
    let mut small = short();
    small.micro_batch_tokens = Some(40);
    run("tiny-embedding", &one, short(), "cpu").distil(&data, &|_| {}).unwrap();
    run("tiny-embedding", &many, small, "cpu").distil(&data, &|_| {}).unwrap();
    let texts = ["a and b", "q and z"];
    for (one, many) in vectors(&one, &texts).iter().zip(vectors(&many, &texts)) {
        let cosine: f32 = one.iter().zip(&many).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.999, "{cosine}");
    }
}
