//! Fine-tuning on pairs: something that the model can't do before.

use crate::support::{Seen, devices_here, fixture, jsonl, out, run, settings};
use qwen3_engine::{Options, RankOptions, Reranker};
use qwen3_train::{LabelData, PairData};
use serde_json::{Value, json};
use std::path::Path;

/// All pairs of letters: those that are learned, and those that are not.
fn letters() -> [Vec<(char, char)>; 2] {
    let all = ('a'..='t').flat_map(|first| ('a'..='t').map(move |second| (first, second)));
    let numbered: Vec<_> = all.enumerate().collect();
    let part = |held_out: bool| {
        let of_part = numbered.iter().filter(|(index, _)| (index % 6 == 1) == held_out);
        of_part.map(|(_, letters)| *letters).collect()
    };
    [part(false), part(true)]
}

/// A question in small letters belongs to the answer in capitals.
fn pairs(folder: &Path) -> PairData {
    let row = |(first, second): (char, char)| {
        let capitals = |letter: char| letter.to_ascii_uppercase();
        json!({
            "anchor": format!("{first} {second}"),
            "positive": format!("{} {}", capitals(first), capitals(second)),
            "negative": [format!("{} {}", capitals(second), capitals(first))],
        })
    };
    // Both letters the same: the negative is the positive, which is no negative then.
    let [learned, held_out] = letters().map(|part| part.into_iter().map(row).collect::<Vec<_>>());
    let mut data = PairData::new(jsonl(&folder.join("pairs.jsonl"), learned));
    data.held_out = Some(jsonl(&folder.join("held-out.jsonl"), held_out));
    data.instruction = Some("Find the capitals".to_owned());
    data
}

#[test]
fn an_embedding_model_finds_answers_that_it_could_not_find_before() {
    let seen = train("cpu", 120);
    let [before, after] = seen.before_and_after("accuracy@1");
    println!("accuracy@1 {before} -> {after}");
    assert!(before < 0.2 && after > 0.7, "{before} {after}");
    let [before, after] = seen.before_and_after("mrr");
    assert!(before < 0.3 && after > 0.8, "{before} {after}");
}

#[test]
fn steps_on_a_gpu_are_those_on_the_processor() {
    let losses = |device| train(device, 4).losses();
    let expected = losses("cpu");
    for device in devices_here().into_iter().filter(|device| *device != "cpu") {
        for (step, (loss, expected)) in losses(device).iter().zip(&expected).enumerate() {
            let difference = (loss / expected - 1.0).abs();
            println!("{device}: step {step}: {difference:e}");
            // Up to 2.7e-3 on software Vulkan. Adam divides a gradient by its size, so the rounding
            // of small ones is in the steps.
            assert!(difference < 1e-2, "{device}: step {step}: {loss} {expected}");
        }
    }
}

/// What is told while an embedding model is trained on pairs.
fn train(device: &str, steps: u64) -> Seen {
    let (folder, out) = out();
    let seen = Seen::default();
    let mut settings = settings(64, steps, 5e-3);
    settings.dimensions = vec![32, 16];
    // So that a step is several passes.
    settings.micro_batch_tokens = Some(1_024);
    let run = run("tiny-embedding", &out, settings, device);
    run.embedding(&pairs(folder.path()), &|event| seen.hear(event)).unwrap();
    seen
}

/// A document answers if both are vowels, or neither.
fn labelled(folder: &Path) -> LabelData {
    let row = |(query, document): (char, char)| -> Value {
        let is_vowel = |letter: char| "aeiou".contains(letter);
        let label = f64::from(u8::from(is_vowel(query) == is_vowel(document)));
        json!({"query": query.to_string(), "document": document.to_string(), "label": label})
    };
    let [learned, held_out] = letters().map(|part| part.into_iter().map(row).collect::<Vec<_>>());
    let mut data = LabelData::new(jsonl(&folder.join("pairs.jsonl"), learned));
    data.held_out = Some(jsonl(&folder.join("held-out.jsonl"), held_out));
    data
}

#[test]
fn rerankers_of_every_head_learn_to_tell() {
    for model in ["tiny-reranker-tied", "tiny-reranker-untied", "tiny-seq-cls"] {
        let (folder, out) = out();
        let seen = Seen::default();
        let mut settings = settings(32, 100, 5e-3);
        settings.save_dtype = qwen3_engine::DtypeChoice::Named(qwen3_engine::Dtype::F32);
        let run = run(model, &out, settings, "cpu");
        run.reranker(&labelled(folder.path()), &|event| seen.hear(event)).unwrap();
        let [before, after] = seen.before_and_after("auc");
        println!("{model}: auc {before} -> {after}");
        assert!(before < 0.75 && after > 0.9, "{model}: {before} {after}");
        assert_same_scores(model, &out);
    }
}

/// What was written loads again and scores: right pairs above wrong ones.
fn assert_same_scores(model: &str, out: &Path) {
    let scores = |folder: &Path| -> Vec<f64> {
        let options =
            Options::default().device("cpu".parse::<qwen3_engine::DeviceChoice>().unwrap());
        // The folder's name tells nothing.
        let kind = qwen3_engine::Checkpoint::open(fixture(model), &options.hooks).unwrap().kind();
        let source = qwen3_engine::Source::from(folder).kind(kind);
        let reranker = Reranker::load(source, &options).unwrap();
        let pairs = [("a", "e"), ("a", "b"), ("b", "c"), ("c", "o")];
        let scores = reranker.score(pairs, &RankOptions::default()).unwrap();
        scores.into_iter().map(|score| score.log_odds).collect()
    };
    let after = scores(out);
    assert!(after[0] > after[1] && after[2] > after[3], "{model}: {after:?}");
    assert_ne!(after, scores(&fixture(model)), "{model}");
}
