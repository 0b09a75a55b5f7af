//! A model whose files change while it isn't loaded.

use crate::server::{EMBEDDER, Reply, fixture, get, post, scheduling, server_of};
use axum::Router;
use qwen3_server::{SchedulerSettings, Settings};
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        match from.is_dir() {
            true => copy(&from, &to),
            false => assert!(fs::copy(&from, &to).is_ok(), "{to:?}"),
        }
    }
}

async fn until_unloaded(server: &Router) {
    let started = Instant::now();
    while get(server, "/stats").await.json()["models"][0]["replicas"][0] != "unloaded" {
        assert!(started.elapsed() < Duration::from_secs(20), "never unloaded");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn embed(server: &Router, text: &str) -> Reply {
    post(server, "/embed", format!(r#"{{"inputs": "{text}"}}"#)).await
}

/// Other weights of the same shapes, in the same file, which looks as old as before.
fn change(path: &Path) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.len();
    bytes[end - 100..].reverse();
    fs::write(path, bytes).unwrap();
    if cfg!(unix) {
        File::options().append(true).open(path).unwrap().set_modified(before).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_of_two_models_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    copy(Path::new(&fixture(EMBEDDER)), &model);
    let idle_unload = Some(Duration::from_millis(20));
    let scheduling = SchedulerSettings { idle_unload, ..scheduling() };
    let server = server_of(model.to_str().unwrap(), "", Settings::default(), scheduling);
    let first = embed(&server, "a").await;
    assert_eq!(first.status, 200, "{first:?}");
    until_unloaded(&server).await;
    assert_eq!(embed(&server, "a").await.body, first.body, "the same files are loaded again");

    until_unloaded(&server).await;
    change(&model.join("model.safetensors"));
    let answers = [embed(&server, "b").await, get(&server, "/health").await];
    let folder = folder.path().to_str().unwrap();
    for answer in answers {
        assert_eq!(answer.status, 503, "{answer:?}");
        let text = answer.text();
        assert!(text.contains("the server's log says why") && !text.contains(folder), "{text}");
    }
    // Whoever has a key is told.
    let stats = get(&server, "/stats").await.text();
    assert!(stats.contains("have changed since the model was opened"), "{stats}");
}
