//! `qwen3 convert`, and its file wherever a folder may stand.

use crate::command::{on_cpu, qwen3};
use crate::fixtures::{embedding_model, folder};
use tempfile::TempDir;

#[test]
fn the_file_stands_where_the_folder_did() {
    let target = TempDir::new().unwrap();
    let out = target.path().join("model.safetensors");
    let outcome = qwen3(["convert", "--model"]).arg(embedding_model()).arg("--out").arg(&out);
    let outcome = outcome.succeeds();
    assert_eq!(outcome.text(), format!("{}\n", out.display()));
    assert!(outcome.stderr.contains("qwen3: embedding, 35 tensors"), "{outcome:?}");
    let of = |model| on_cpu("embed", model, ["hello", "--format", "f32"]).succeeds().stdout;
    assert_eq!(of(&out), of(&embedding_model()));
    let info = qwen3(["info", "--model"]).arg(&out).succeeds().json();
    assert_eq!(info["kind"], "embedding");
    let digest = info["converted_from_sha256"]["model.safetensors"].as_str();
    assert_eq!(digest.map(str::len), Some(64));
}

#[test]
fn without_a_path_the_file_is_named_for_the_model() {
    let target = TempDir::new().unwrap();
    let model = folder("tiny-reranker-tied");
    let mut command = qwen3(["convert", "--quiet", "--trim-head", "--model"]).arg(&model);
    command.command.current_dir(&target);
    let outcome = command.succeeds();
    assert_eq!(outcome.text(), "tiny-reranker-tied-bf16.safetensors\n");
    assert_eq!(outcome.stderr, "");
    let file = target.path().join("tiny-reranker-tied-bf16.safetensors");
    let arguments =
        ["--query", "Explain gravity", "Apples fall.", "--log-odds", "--format", "json"];
    let of = |model| on_cpu("rerank", model, arguments).succeeds().json();
    assert_eq!(of(&file), of(&model));
}

#[test]
fn what_can_not_be_written_is_told_with_the_way_out() {
    let target = TempDir::new().unwrap();
    let out = target.path().join("model.safetensors");
    let convert = |options: &[&str]| {
        let command = qwen3(["convert", "--model"]).arg(embedding_model());
        command.arg("--out").arg(&out).args(options.iter().copied())
    };
    convert(&["--trim-head"]).fails(1, &["`--trim-head` is for rerankers", "`--kind`"]);
    convert(&["--dtype", "int8"]).fails(2, &["`int8`", "f32"]);
    convert(&[]).succeeds();
    convert(&[]).fails(1, &["exists", "`--force`"]);
    convert(&["--force", "--dtype", "f32"]).succeeds();
    let mut bytes = std::fs::read(&out).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&out, bytes).unwrap();
    on_cpu("embed", &out, ["hello"]).fails(1, &["is damaged", "convert the model again"]);
}
