//! `qwen3 devices`, `qwen3 info`, `qwen3 completions`

use crate::command::{Outcome, qwen3};
use crate::fixtures::{embedding_model, folder};
use serde_json::{Value, json};

#[test]
fn the_processor_is_always_a_device() {
    let devices = qwen3(["devices"]).succeeds().json();
    let devices = devices.as_array().expect("a list of devices");
    let cpu = devices.iter().find(|device| device["device"] == "cpu").expect("the processor");
    assert_eq!(cpu["kind"], "processor");
    assert_eq!(cpu["dtypes"], json!(["f32", "bf16", "f16"]));
    assert!(cpu["memory_bytes"].as_u64() > Some(1 << 28), "{cpu}");
    assert!(cpu["name"].as_str().is_some_and(|name| !name.is_empty()), "{cpu}");
}

#[test]
fn devices_are_the_same_in_every_format() {
    let list = qwen3(["devices", "--format", "json"]).succeeds().json();
    assert_eq!(Value::from(qwen3(["devices", "--format", "jsonl"]).succeeds().jsonl()), list);
    let table = qwen3(["devices", "--format", "table"]).succeeds();
    let heading: Vec<&str> = table.text().lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["device", "name", "kind", "memory", "dtypes", "driver"]);
    for device in list.as_array().unwrap().iter().filter(|device| device["absent"].is_null()) {
        let name = device["device"].as_str().unwrap();
        assert!(table.text().lines().any(|line| line.starts_with(name)), "{table:?}");
    }
}

fn info(model: &str, options: &[&str]) -> Outcome {
    let model = folder(model);
    qwen3(["info", "--model"]).arg(model).args(options.iter().copied()).succeeds()
}

/// Expects these facts, which are those of the fixtures' README.
#[track_caller]
fn check(model: &str, kind: &str, dtype: &str, facts: Value) {
    let found = info(model, &[]).json();
    assert_eq!((&found["kind"], &found["dtype"]), (&kind.into(), &dtype.into()), "{model}");
    for (key, value) in facts.as_object().unwrap() {
        assert_eq!(&found[key], value, "{key} of {model}");
    }
    assert_eq!([&found["layers"], &found["hidden_size"], &found["attention_heads"]], [3, 32, 4]);
    assert_eq!(found["vocab_size"], 640);
}

#[test]
fn a_model_tells_what_it_is() {
    let usual = json!({"head_dim": 16, "key_value_heads": 2, "tied_head": true});
    check("tiny-embedding", "embedding", "bf16", usual.clone());
    let variant = json!({"head_dim": 24, "key_value_heads": 1, "max_tokens": 32768});
    check("tiny-embedding-variant", "embedding", "f16", variant);
    check("tiny-embedding-overflow", "embedding", "f16", usual.clone());
    check("tiny-reranker-tied", "reranker", "bf16", usual.clone());
    check("tiny-reranker-untied", "reranker", "bf16", json!({"tied_head": false}));
    check("tiny-seq-cls", "seq-cls", "bf16", usual);
}

#[test]
fn the_folder_of_a_file_is_a_model_too() {
    let file = embedding_model().join("model.safetensors");
    let found = qwen3(["info", "--model"]).arg(file).succeeds().json();
    assert_eq!(found["path"], embedding_model().to_str().unwrap());
}

#[test]
fn a_kind_that_the_user_knows_better_is_believed() {
    assert_eq!(info("tiny-embedding", &["--kind", "reranker"]).json()["kind"], "reranker");
}

#[test]
fn facts_are_the_same_in_every_format() {
    let object = info("tiny-seq-cls", &["--format", "json"]).json();
    let lines = info("tiny-seq-cls", &["--format", "jsonl"]).jsonl();
    assert_eq!(lines, std::slice::from_ref(&object));
    let table = info("tiny-seq-cls", &["--format", "table"]);
    let rows: Vec<(&str, &str)> =
        table.text().lines().filter_map(|line| line.split_once("  ")).collect();
    assert_eq!(rows.len(), object.as_object().unwrap().len());
    for (key, value) in rows {
        let expected = object[key].as_str().map_or(object[key].to_string(), str::to_owned);
        assert_eq!(value.trim(), expected, "{key}");
    }
}

#[test]
fn a_folder_needs_no_download() {
    let folder = embedding_model();
    let outcome = qwen3(["download", "--model"]).arg(&folder).succeeds();
    assert_eq!(outcome.text(), format!("{}\n", folder.display()));
}

#[test]
fn there_are_completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let outcome = qwen3(["completions", shell]).succeeds();
        assert!(outcome.text().contains("qwen3"), "{outcome:?}");
        assert!(outcome.text().contains("rerank"), "{outcome:?}");
        assert_eq!(outcome.stderr, "");
    }
}
