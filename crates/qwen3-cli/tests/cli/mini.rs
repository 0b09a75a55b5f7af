//! `--model mini`: the model inside the program.
#![cfg(feature = "mini")]

use crate::command::{on_cpu, qwen3};
use crate::fixtures::{copy, embedding_model};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

/// The vector of a text.
fn vector(model: &Path) -> Value {
    let format = ["--format", "jsonl", "Explain gravity"];
    on_cpu("embed", model, format).succeeds().jsonl()[0]["embedding"].clone()
}

#[test]
fn it_embeds_without_network_and_without_files() {
    let vector = vector(Path::new("mini"));
    assert_eq!(vector.as_array().map(Vec::len), Some(256), "{vector}");
}

#[test]
fn it_tells_what_it_is_and_that_it_is_inside() {
    let facts = qwen3(["info", "--model", "mini"]).succeeds().json();
    let told = ["model", "path", "kind", "layers", "hidden_size"].map(|key| &facts[key]);
    assert_eq!(json!(told), json!(["mini", null, "embedding", 4, 256]));
    let table = qwen3(["info", "--model", "mini", "--format", "table"]).succeeds();
    assert!(!table.text().contains("null"), "{table:?}");
}

#[test]
fn it_can_be_written_as_a_file() {
    let folder = TempDir::new().unwrap();
    let mut convert = qwen3(["convert", "--model", "mini"]);
    convert.command.current_dir(folder.path());
    assert_eq!(convert.succeeds().text(), "mini-bf16.safetensors\n");
    let file = folder.path().join("mini-bf16.safetensors");
    assert_eq!(vector(&file), vector(Path::new("mini")));
}

#[test]
fn a_folder_of_its_name_does_not_take_its_place() {
    let here = TempDir::new().unwrap();
    let copy = copy(&embedding_model());
    std::fs::rename(copy.path(), here.path().join("mini")).unwrap();
    let dimensions = |model| {
        let mut info = qwen3(["info", "--model", model]);
        info.command.current_dir(here.path());
        info.succeeds().json()["hidden_size"].clone()
    };
    assert_eq!([dimensions("mini"), dimensions("./mini")], [json!(256), json!(32)]);
}

#[test]
fn what_it_has_not_got_is_told() {
    qwen3(["download", "--model", "mini"]).fails(1, &["`mini`", "needs no download"]);
    let revision = ["info", "--model", "mini", "--revision", "v2"];
    qwen3(revision).fails(1, &["`mini`", "no revision `v2`"]);
    let rerank = ["rerank", "--model", "mini", "--query", "a", "b"];
    qwen3(rerank).fails(1, &["`mini` looks like embedding, not like a reranker"]);
}

/// What these arguments are told where nothing is in the cache and no hub is asked.
fn told_offline(arguments: &[&str]) -> String {
    let home = TempDir::new().unwrap();
    let run = qwen3(arguments).env("HF_HUB_OFFLINE", "1").env("HF_HOME", home.path());
    let outcome = run.outcome();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("not in the cache"), "{outcome:?}");
    outcome.stderr
}

const WAY_OUT: &str = "`--model mini` needs no download";

#[test]
fn it_is_the_way_out_where_an_embedding_model_can_not_be_downloaded() {
    for command in [
        &["embed", "a"][..],
        &["similarity", "--query", "a", "--document", "b"],
        &["serve", "--hostname", "127.0.0.1", "--port", "0"],
    ] {
        let told = told_offline(command);
        assert!(told.contains(WAY_OUT), "{told}");
    }
    let home = TempDir::new().unwrap();
    let run = qwen3(["embed", "a"]).env("HF_HOME", home.path());
    run.fails(1, &["can't download", WAY_OUT]);
}

#[test]
fn it_is_no_way_out_where_a_reranker_is_wanted() {
    let rerank = ["rerank", "--query", "a", "b"];
    let serve = ["serve", "--model", "mini", "--reranker", "a/b", "--port", "0"];
    for command in [&rerank[..], &serve] {
        let told = told_offline(command);
        assert!(!told.contains(WAY_OUT), "{told}");
    }
}

#[cfg(unix)]
#[test]
fn it_is_served_under_its_name() {
    use crate::serve::{ON_ANY_PORT, Server};
    let server = Server::of(on_cpu("serve", Path::new("mini"), ON_ANY_PORT).start());
    let info = server.ask("/info", "", "");
    assert!(info.contains(r#""model_id":"mini""#), "{info}");
    let body = r#"{"model": "mini", "input": "Explain gravity", "dimensions": 128}"#;
    let answer = server.ask("/v1/embeddings", "", body);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.stop("-TERM");
}
