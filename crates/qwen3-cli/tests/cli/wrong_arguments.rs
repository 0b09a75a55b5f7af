//! Arguments that can't be right, and what is said about them.

use crate::command::{on_cpu, qwen3};
use crate::fixtures::{embedding_model, reranker};

/// Expects exit code 2 and these words, whatever the model.
#[track_caller]
fn check(arguments: &[&str], words: &[&str]) {
    let outcome = qwen3(arguments).fails(2, words);
    assert!(outcome.stderr.contains("--help"), "{outcome:?}");
}

#[test]
fn no_command_shows_the_commands() {
    let words = ["Usage: qwen3 <COMMAND>", "embed", "similarity", "rerank", "download"];
    check(&[], &words);
}

#[test]
fn commands_and_options_that_do_not_exist_are_named() {
    check(&["embedd"], &["'embedd'", "'embed'"]);
    check(&["embed", "--nosuch"], &["'--nosuch'"]);
    check(&["embed", "--dimension", "8"], &["'--dimension'", "'--dimensions'"]);
}

#[test]
fn a_wrong_name_is_answered_with_the_right_ones() {
    let devices = ["auto", "cpu", "ndarray", "wgpu", "vulkan", "metal", "dx12", "cuda:1"];
    check(&["embed", "--device", "gpu", "x"], &[&["`gpu`"], &devices[..]].concat());
    check(&["rerank", "--query", "q", "--device", "cuda:x", "x"], &["`cuda:x`", "`cuda:1`"]);
    check(&["embed", "--dtype", "int8", "x"], &["`int8`", "auto, f32, bf16, f16"]);
    check(&["embed", "--truncate", "middle", "x"], &["`middle`", "`right`, `left` or `error`"]);
    let policies = "`parse`, `literal`, `strip` or `reject`";
    check(&["embed", "--special-tokens", "drop", "x"], &["`drop`", policies]);
    check(&["info", "--kind", "ranker"], &["`ranker`", "embedding, reranker, seq-cls"]);
    check(&["embed", "--format", "csv", "x"], &["'csv'", "table, json, jsonl, npy, f32"]);
    check(&["devices", "--format", "npy"], &["'npy'", "table, json, jsonl"]);
    check(&["completions", "ksh"], &["'ksh'", "bash, elvish, fish, powershell, zsh"]);
    let measures = "cosine, dot, euclidean, manhattan";
    let similarity = ["similarity", "--query", "q", "--document", "d"];
    check(&[&similarity[..], &["--similarity", "l1"]].concat(), &["`l1`", measures]);
}

#[test]
fn what_is_missing_is_named() {
    check(&["rerank", "document"], &["--query <TEXT>"]);
    check(&["similarity", "--query", "q"], &["--document <TEXT>"]);
    check(&["similarity", "--document", "d"], &["--query <TEXT>"]);
    check(&["completions"], &["<SHELL>"]);
}

#[test]
fn numbers_have_to_be_numbers() {
    check(&["embed", "--dimensions", "many", "x"], &["'many'", "--dimensions"]);
    check(&["embed", "--threads=-1", "x"], &["'-1'", "--threads"]);
    check(&["rerank", "--query", "q", "--top-n", "1.5", "x"], &["'1.5'", "--top-n"]);
}

#[test]
fn one_prompt_is_enough() {
    let two = ["embed", "--prompt", "a", "--instruction", "b", "x"];
    check(&two, &["--prompt <TEXT>", "--instruction <TASK>"]);
    check(&["embed", "--prompt-name", "query", "--prompt", "b", "x"], &["--prompt-name <NAME>"]);
}

/// Expects exit code 1 and these words: the value is wrong for this model.
#[track_caller]
fn check_value(option: &str, value: &str, words: &[&str]) {
    on_cpu("embed", &embedding_model(), [option, value, "x"]).fails(1, words);
}

#[test]
fn values_beyond_what_the_model_takes_are_answered_with_the_range() {
    check_value("--dimensions", "0", &["0 dimensions", "1 to 32"]);
    check_value("--dimensions", "33", &["33 dimensions", "1 to 32"]);
    check_value("--max-tokens", "0", &["max", "tokens", "is 0", "1 to 32768"]);
    check_value("--max-tokens", "32769", &["max", "tokens", "is 32769", "1 to 32768"]);
    check_value("--threads", "0", &["threads", "is 0", "at least 1"]);
    check_value("--max-batch-tokens", "0", &["batch", "tokens", "is 0", "at least 1"]);
    check_value("--prompt-name", "passage", &["`passage`", "`document`, `query`"]);
}

#[test]
fn a_message_names_the_option_as_it_was_typed() {
    check_value("--max-tokens", "0", &["--max-tokens"]);
    check_value("--threads", "0", &["--threads"]);
    check_value("--max-batch-tokens", "0", &["--max-batch-tokens"]);
}

#[test]
fn a_reranker_needs_room_for_its_template() {
    let arguments = ["--query", "q", "--max-tokens", "10", "x"];
    on_cpu("rerank", &reranker(), arguments).fails(1, &["10 tokens", "at least 75"]);
}

/// CUDA alone can be: `Cargo.toml` gives tests every other backend.
#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_was_left_out_names_its_feature() {
    let model = embedding_model();
    let model = model.to_str().expect("paths of fixtures are text");
    for device in ["cuda", "cuda:1"] {
        let run = qwen3(["embed", "--model", model, "--device", device, "x"]);
        run.fails(1, &[&format!("`{device}`"), "the feature `cuda`"]);
    }
}

#[test]
fn a_dtype_that_the_device_lacks_is_answered_with_those_it_has() {
    let model = embedding_model();
    let model = model.to_str().expect("paths of fixtures are text");
    let arguments = ["embed", "--model", model, "--device", "ndarray", "--dtype", "bf16", "x"];
    qwen3(arguments).fails(1, &["`ndarray`", "bf16", "only f32"]);
}
