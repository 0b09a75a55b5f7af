//! Models that aren't there, aren't whole, or are of another kind.

use crate::command::{on_cpu, qwen3};
use crate::fixtures::{copy, embedding_model, folder, reranker};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Expects that this folder, spoiled like this, is refused with these words.
#[track_caller]
fn check(model: &Path, spoil: impl FnOnce(&Path), words: &[&str]) {
    let copy = copy(model);
    spoil(copy.path());
    let outcome = on_cpu("embed", copy.path(), ["a"]).fails(1, words);
    assert!(!outcome.stderr.contains("internal error"), "{outcome:?}");
    let arguments = ["info", "--model", copy.path().to_str().unwrap()];
    let outcome = qwen3(arguments).outcome();
    assert!(!outcome.stderr.contains("internal error"), "{outcome:?}");
}

/// Replaces text in a file of the folder.
fn edit<'a>(file: &'a str, from: &'a str, to: &'a str) -> impl FnOnce(&Path) + 'a {
    move |folder| {
        let path = folder.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} in {text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }
}

fn cut(file: &str, bytes: usize) -> impl FnOnce(&Path) {
    move |folder| {
        let path = folder.join(file);
        let content = fs::read(&path).unwrap();
        fs::write(path, &content[..bytes]).unwrap();
    }
}

fn remove(file: &str) -> impl FnOnce(&Path) {
    move |folder| fs::remove_file(folder.join(file)).unwrap()
}

#[test]
fn a_name_that_is_no_model_is_answered_with_what_is_one() {
    let words = ["`nosuch`", "folder", "`owner/name`"];
    qwen3(["embed", "--model", "nosuch", "a"]).fails(1, &words);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nosuch");
    let words = [path.to_str().unwrap(), "folder", "`owner/name`"];
    qwen3(["info", "--model"]).arg(&path).fails(1, &words);
}

#[test]
fn a_folder_without_a_model_is_named() {
    check(&embedding_model(), remove("config.json"), &["config.json"]);
    check(&embedding_model(), remove("tokenizer.json"), &["tokenizer.json"]);
    let words = ["neither `model.safetensors` nor `model.safetensors.index.json`", "download"];
    check(&embedding_model(), remove("model.safetensors"), &words);
}

#[test]
fn a_folder_without_a_config_says_what_it_should_be() {
    check(&embedding_model(), remove("config.json"), &["folder", "model"]);
}

#[test]
fn files_that_were_cut_are_named() {
    let words = ["model.safetensors`", "is the download complete?"];
    check(&embedding_model(), cut("model.safetensors", 100_000), &words);
    check(&embedding_model(), cut("model.safetensors", 5), &words);
    check(&embedding_model(), cut("model.safetensors", 0), &["model.safetensors`", "empty"]);
    check(&embedding_model(), cut("config.json", 100), &["config.json`", "complete?"]);
    check(&embedding_model(), cut("tokenizer.json", 5_000), &["tokenizer.json`"]);
    check(&embedding_model(), cut("modules.json", 50), &["modules.json`", "complete?"]);
    let variant = folder("tiny-embedding-variant");
    check(&variant, cut("model.safetensors.index.json", 50), &["index.json`", "complete?"]);
}

#[test]
fn a_missing_shard_is_named() {
    let shard = "model-00002-of-00002.safetensors";
    check(&folder("tiny-embedding-variant"), remove(shard), &[shard]);
}

#[test]
fn a_model_of_another_family_is_refused() {
    let llama = edit("config.json", "\"model_type\": \"qwen3\"", "\"model_type\": \"llama\"");
    check(&embedding_model(), llama, &["`model_type`", "llama", "Qwen3"]);
    let mean = edit("1_Pooling/config.json", "_lasttoken\": true", "_lasttoken\": false");
    check(&embedding_model(), mean, &["1_Pooling/config.json`", "`mean`", "not supported"]);
}

#[test]
fn what_lies_in_the_place_of_a_file_is_told_with_the_way_out() {
    let put = |file: &'static str, content: &'static str| {
        move |folder: &Path| fs::write(folder.join(file), content).unwrap()
    };
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 137136\n";
    for file in ["config.json", "tokenizer.json", "modules.json", "model.safetensors"] {
        check(&embedding_model(), put(file, pointer), &[file, "Git LFS", "`git lfs pull`"]);
        check(&embedding_model(), put(file, "<html></html>"), &[file, "web page"]);
    }
    let adapter = put("adapter_config.json", "{}");
    check(&embedding_model(), adapter, &["adapter_config.json", "merge"]);
    let dense = edit("modules.json", "models.Normalize", "models.Dense");
    check(&embedding_model(), dense, &["modules.json", "`sentence_transformers.models.Dense`"]);
}

#[test]
fn what_a_file_says_does_not_speak_to_the_terminal() {
    let title = "\\u001b]0;owned\\u0007\\u009b31m\\u202eRED\\nqwen3: all is well";
    let replaced = format!("\"{title}\"");
    for (file, from) in [
        ("config.json", "\"qwen3\""),
        ("modules.json", "\"sentence_transformers.models.Pooling\""),
        ("tokenizer.json", "\"BPE\""),
    ] {
        let copy = copy(&embedding_model());
        edit(file, from, &replaced)(copy.path());
        let outcome = on_cpu("embed", copy.path(), ["a"]).fails(1, &["\\u{1b}]0;owned", "RED"]);
        let is_control = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!outcome.stderr.contains(is_control), "{outcome:?}");
    }
}

#[test]
fn a_name_with_controls_is_shown_without_them() {
    let root = tempfile::tempdir().unwrap();
    let odd = root.path().join("a\u{9b}31m\u{202e}b");
    fs::rename(copy(&embedding_model()).keep(), &odd).unwrap();
    for format in ["table", "json", "jsonl"] {
        let outcome = qwen3(["info", "--format", format, "--model"]).arg(&odd).succeeds();
        let is_control = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!outcome.text().contains(is_control), "{outcome:?}");
        if format == "json" {
            assert_eq!(outcome.json()["path"], odd.to_str().unwrap());
        }
    }
}

#[test]
fn tokens_that_the_model_has_no_embedding_for_are_told() {
    let copy = copy(&embedding_model());
    let path = copy.path().join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let tokens = tokenizer["added_tokens"].as_array_mut().unwrap();
    for id in 611..642 {
        let mut token = tokens[0].clone();
        (token["id"], token["content"]) = (id.into(), format!("<|extra{id}|>").into());
        tokens.push(token);
    }
    fs::write(path, tokenizer.to_string()).unwrap();
    let outcome = on_cpu("embed", copy.path(), ["a <|extra641|>", "b"]).succeeds();
    assert!(outcome.stderr.contains("2 of its tokenizer's tokens (`<|extra640|>`"), "{outcome:?}");
    assert_eq!(outcome.jsonl().len(), 2);
    let quiet = on_cpu("embed", copy.path(), ["--quiet", "a <|extra641|>"]).succeeds();
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_model_without_prompts_is_asked_without_one() {
    let copy = copy(&embedding_model());
    fs::write(copy.path().join("config_sentence_transformers.json"), "{}").unwrap();
    let arguments = ["--query", "a", "--document", "a", "--format", "json"];
    let outcome = on_cpu("similarity", copy.path(), arguments).succeeds();
    assert_eq!(outcome.json()["similarity"][0][0].as_f64().map(|x| (x * 1e5).round()), Some(1e5));
    let named = ["--prompt-name", "query", "--query", "a", "--document", "a"];
    on_cpu("similarity", copy.path(), named).fails(1, &["unknown prompt `query`"]);
}

#[test]
fn a_config_of_another_size_is_told_from_the_weights() {
    let wider = edit("config.json", "\"hidden_size\": 32", "\"hidden_size\": 64");
    check(&embedding_model(), wider, &["has shape", "expected", "config.json"]);
    let deeper = edit("config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4");
    check(&embedding_model(), deeper, &["is missing", "config.json"]);
}

#[test]
fn a_model_of_the_other_kind_is_named_with_the_way_out() {
    let words = ["tiny-reranker-tied`", "reranker", "not like an embedding model"];
    on_cpu("embed", &reranker(), ["a"]).fails(1, &words);
    on_cpu("similarity", &reranker(), ["--query", "a", "--document", "b"]).fails(1, &words);
    let words = ["tiny-seq-cls`", "seq-cls", "not like an embedding model"];
    on_cpu("embed", &folder("tiny-seq-cls"), ["a"]).fails(1, &words);
    let words = ["tiny-embedding`", "embedding", "not like a reranker"];
    on_cpu("rerank", &embedding_model(), ["--query", "a", "b"]).fails(1, &words);
}

#[test]
fn the_way_out_of_a_wrong_kind_is_a_command_or_an_option_that_exists() {
    let outcome = on_cpu("embed", &reranker(), ["a"]).fails(1, &["--kind"]);
    assert!(outcome.stderr.contains("qwen3 rerank"), "{outcome:?}");
    let outcome = on_cpu("rerank", &embedding_model(), ["--query", "a", "b"]).fails(1, &["--kind"]);
    assert!(outcome.stderr.contains("qwen3 embed"), "{outcome:?}");
}

#[test]
fn a_kind_that_the_user_insists_on_is_tried() {
    on_cpu("embed", &reranker(), ["--kind", "embedding", "a"]).succeeds();
    let arguments = ["--kind", "seq-cls", "--query", "a", "b"];
    on_cpu("rerank", &reranker(), arguments).fails(1, &["score.weight"]);
}

#[test]
fn a_model_that_is_not_in_the_cache_is_not_looked_for_offline() {
    let cache = tempfile::tempdir().unwrap();
    let run = qwen3(["embed", "--model", "test/tiny", "a"]);
    let words = ["`test/tiny`", cache.path().to_str().unwrap(), "HF_HUB_OFFLINE"];
    run.env("HF_HUB_OFFLINE", "1").env("HF_HOME", cache.path()).fails(1, &words);
}

#[test]
fn a_hub_that_can_not_be_reached_is_told() {
    let cache = tempfile::tempdir().unwrap();
    for command in ["embed", "info", "download"] {
        let run = qwen3([command, "--model", "test/tiny"]).env("HF_HOME", cache.path());
        let words =
            ["can't download", "`test/tiny`", "no connection to 127.0.0.1", "refused", "folder"];
        run.fails(1, &words);
    }
    assert!(!cache.path().join("hub").exists(), "nothing was downloaded");
}

/// The folder of a chat model has nothing in it that a reranker's lacks.
#[test]
fn what_only_looks_like_a_reranker_is_told() {
    let (silent, named) = (copy(&reranker()), reranker());
    let rank = |model: &Path, options: &[&'static str]| {
        let run = on_cpu("rerank", model, ["--query", "a"]).args(options.iter().copied());
        run.arg("b").succeeds().stderr
    };
    let told = rank(silent.path(), &[]);
    let words = ["is a language model", "taken for a reranker", "chat model", "option `kind`"];
    assert!(words.iter().all(|word| told.contains(word)), "{told}");
    assert_eq!(rank(silent.path(), &["--kind", "reranker"]), "");
    assert_eq!(rank(&named, &[]), "");
}
