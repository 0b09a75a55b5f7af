//! Models from a hub, and its cache.

#[cfg(unix)]
use crate::command::finish;
use crate::command::{from_hub, offline, on_cpu, qwen3};
use crate::fixtures::{embedding_model, folder};
use crate::hub_server::{COMMIT, Flaw, Hub, sha256};
use crate::vectors::of_objects;
use std::fs;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::{
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A new and empty `HF_HOME`.
fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn snapshot(home: &TempDir) -> PathBuf {
    home.path().join("hub/models--test--tiny/snapshots").join(COMMIT)
}

/// The file that a download of the weights grows in.
fn part(home: &TempDir, model: &Path) -> PathBuf {
    let etag = sha256(&fs::read(model.join("model.safetensors")).unwrap());
    home.path().join(format!("hub/models--test--tiny/blobs/{etag}.part"))
}

/// Expects that the model in the cache is this one, byte for byte and in use.
#[track_caller]
fn check_cache(home: &TempDir, model: &Path) {
    for entry in fs::read_dir(snapshot(home)).unwrap().flatten() {
        if entry.path().is_file() {
            let original = fs::read(model.join(entry.file_name())).unwrap();
            assert!(fs::read(entry.path()).unwrap() == original, "{entry:?}");
        }
    }
    let found = offline("embed", home).args(["--device", "cpu", "a text"]).succeeds();
    let expected = on_cpu("embed", model, ["a text"]).succeeds();
    assert_eq!(of_objects(&found.jsonl()), of_objects(&expected.jsonl()));
}

#[test]
fn a_downloaded_model_works_without_network() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::None), home());
    let outcome = from_hub("download", &hub, &home).succeeds();
    assert_eq!(Path::new(outcome.text().trim_end()), snapshot(&home));
    assert_eq!(outcome.stderr, "");
    check_cache(&home, &embedding_model());
}

#[test]
fn only_files_that_are_used_are_downloaded() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::None), home());
    from_hub("download", &hub, &home).succeeds();
    let expected = [
        "1_Pooling/config.json",
        "config.json",
        "config_sentence_transformers.json",
        "generation_config.json",
        "model.safetensors",
        "modules.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(hub.files(), expected);
}

#[test]
fn any_command_downloads_what_it_needs() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::None), home());
    from_hub("embed", &hub, &home).args(["--device", "cpu", "a text"]).succeeds();
    check_cache(&home, &embedding_model());
}

#[test]
fn all_shards_are_downloaded() {
    let model = folder("tiny-embedding-variant");
    let (hub, home) = (Hub::serve(&model, Flaw::None), home());
    from_hub("download", &hub, &home).succeeds();
    assert!(snapshot(&home).join("model-00002-of-00002.safetensors").is_file());
    check_cache(&home, &model);
}

#[test]
fn what_is_in_the_cache_is_not_asked_for_again() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::None), home());
    from_hub("download", &hub, &home).succeeds();
    let asked = hub.requests().len();
    let again = from_hub("download", &hub, &home).succeeds();
    assert_eq!(Path::new(again.text().trim_end()), snapshot(&home));
    assert_eq!(hub.requests().len(), asked);
}

#[test]
fn a_damaged_download_is_refused_and_nothing_of_it_loads() {
    let home = home();
    let damaged = Hub::serve(&embedding_model(), Flaw::DamagesWeights);
    let words = ["`model.safetensors` of `test/tiny`", "damaged", "again"];
    from_hub("download", &damaged, &home).fails(1, &words);
    offline("embed", &home).args(["a text"]).fails(1, &["not in the cache"]);

    let hub = Hub::serve(&embedding_model(), Flaw::None);
    from_hub("download", &hub, &home).succeeds();
    check_cache(&home, &embedding_model());
}

#[test]
fn a_connection_that_breaks_is_picked_up_where_it_broke() {
    let flaw = Flaw::BreaksOff { after_bytes: 50_000, times: 2 };
    let (hub, home) = (Hub::serve(&embedding_model(), flaw), home());
    from_hub("download", &hub, &home).succeeds();
    assert_eq!(hub.starts(), [0, 50_000, 100_000]);
    check_cache(&home, &embedding_model());
}

#[test]
fn a_download_that_was_given_up_is_resumed_by_the_next_run() {
    let home = home();
    let broken = Hub::serve(&embedding_model(), Flaw::BreaksOff { after_bytes: 9_000, times: 99 });
    let words = ["can't download `model.safetensors` of `test/tiny`", "resumes"];
    from_hub("download", &broken, &home).fails(1, &words);
    offline("embed", &home).args(["a text"]).fails(1, &["not in the cache"]);
    let arrived = fs::metadata(part(&home, &embedding_model())).unwrap().len() as usize;

    let hub = Hub::serve(&embedding_model(), Flaw::None);
    from_hub("download", &hub, &home).succeeds();
    assert!(arrived > 0);
    assert_eq!(hub.starts(), [arrived]);
    check_cache(&home, &embedding_model());
}

/// A partial file as an interrupted run leaves it; another run makes it whole.
#[track_caller]
fn check_resumed(content_of_part: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::None), home());
    let part = part(&home, &embedding_model());
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    let weights = fs::read(embedding_model().join("model.safetensors")).unwrap();
    fs::write(&part, content_of_part(weights)).unwrap();
    from_hub("download", &hub, &home).succeeds();
    check_cache(&home, &embedding_model());
}

#[test]
fn a_partial_file_of_an_interrupted_download_is_completed() {
    check_resumed(|mut weights| {
        weights.truncate(60_000);
        weights
    });
}

#[test]
fn a_hub_that_is_busy_at_first_does_not_spoil_what_has_arrived() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::IsBusy { times: 1 }), home());
    let part = part(&home, &embedding_model());
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    let weights = fs::read(embedding_model().join("model.safetensors")).unwrap();
    fs::write(&part, &weights[..60_000]).unwrap();
    from_hub("download", &hub, &home).succeeds();
    assert_eq!(hub.starts(), [60_000, 60_000]);
    check_cache(&home, &embedding_model());
}

#[test]
fn a_branch_that_moves_on_between_two_runs_leaves_no_half_a_folder() {
    let home = home();
    let broken = Hub::serve(&embedding_model(), Flaw::BreaksOff { after_bytes: 9_000, times: 99 });
    from_hub("download", &broken, &home).fails(1, &["model.safetensors"]);
    let moved = Hub::serve(&embedding_model(), Flaw::HasMoved);
    let outcome = from_hub("download", &moved, &home).succeeds();
    let folder = Path::new(outcome.text().trim_end());
    on_cpu("embed", folder, ["a text"]).succeeds();
}

#[cfg(unix)]
#[test]
fn an_interrupted_download_is_resumed() {
    let home = home();
    let slow = Hub::serve(&embedding_model(), Flaw::IsSlow);
    let child = from_hub("download", &slow, &home).start();
    let part = part(&home, &embedding_model());
    let started = Instant::now();
    let arrived = || fs::metadata(&part).map_or(0, |part| part.len());
    while arrived() < 1_000 {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing arrives");
        thread::sleep(Duration::from_millis(20));
    }
    crate::streams::interrupt(&child);
    let outcome = finish(child, "download, interrupted");
    assert_eq!((outcome.code, outcome.stdout), (Some(130), vec![]));

    let (hub, arrived) = (Hub::serve(&embedding_model(), Flaw::None), arrived() as usize);
    from_hub("download", &hub, &home).succeeds();
    assert_eq!(hub.starts(), [arrived]);
    check_cache(&home, &embedding_model());
}

/// Interrupted after the last byte, before the file got its name.
#[test]
fn a_partial_file_that_is_whole_already_is_taken() {
    check_resumed(|weights| weights);
}

#[test]
fn a_partial_file_that_is_too_long_is_no_dead_end() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::None), home());
    let part = part(&home, &embedding_model());
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, vec![0; 1 << 20]).unwrap();
    // One failure may be told; the same one for ever is a dead end.
    from_hub("download", &hub, &home).outcome();
    from_hub("download", &hub, &home).succeeds();
    check_cache(&home, &embedding_model());
}

#[test]
fn a_revision_is_asked_for_by_its_name() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::None), home());
    from_hub("download", &hub, &home).args(["--revision", "v1.0"]).succeeds();
    let requests = hub.requests();
    assert!(requests.iter().any(|request| request.path == "/api/models/test/tiny/revision/v1.0"));
    assert!(requests.iter().all(|request| !request.path.contains("main")), "{requests:?}");
    offline("info", &home).args(["--revision", "v1.0"]).succeeds();
    offline("embed", &home).args(["--device", "cpu", "--revision", "v1.0", "a"]).succeeds();
    offline("info", &home).fails(1, &["not in the cache"]);
}

/// huggingface_hub keeps no `refs` for commits.
#[test]
fn a_commit_is_found_that_another_program_downloaded() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::None), home());
    from_hub("download", &hub, &home).succeeds();
    offline("info", &home).args(["--revision", COMMIT]).succeeds();
}

#[test]
fn the_cache_may_be_anywhere() {
    let hub = Hub::serve(&embedding_model(), Flaw::None);
    let (home, named, variable) = (home(), self::home(), self::home());
    let run = from_hub("download", &hub, &home).args(["--cache-folder"]).arg(named.path());
    run.env("HF_HUB_CACHE", variable.path()).succeeds();
    assert!(named.path().join("models--test--tiny").is_dir());
    let run = offline("embed", &home).args(["--device", "cpu", "a", "--cache-folder"]);
    run.arg(named.path()).succeeds();
    from_hub("download", &hub, &home).env("HF_HUB_CACHE", variable.path()).succeeds();
    assert!(variable.path().join("models--test--tiny").is_dir());
    assert!(!home.path().join("hub").exists());
}

#[test]
fn a_token_opens_a_gated_model() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::Gated), home());
    from_hub("download", &hub, &home).fails(1, &["`test/tiny`", "401"]);
    from_hub("download", &hub, &home).env("HF_TOKEN", "hf_secret").succeeds();
    let requests = hub.requests();
    let tokens = requests.iter().filter_map(|request| request.authorization.as_deref());
    assert!(tokens.clone().count() > 0);
    assert!(tokens.clone().all(|token| token == "Bearer hf_secret"), "{requests:?}");

    let home = self::home();
    fs::write(home.path().join("token"), "hf_secret\n").unwrap();
    from_hub("download", &hub, &home).succeeds();
}

#[test]
fn a_model_that_the_hub_does_not_have_is_told() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::None), home());
    let run = qwen3(["download", "--model", "test/nosuch"]);
    let run = run.env("HF_ENDPOINT", hub.endpoint()).env("HF_HOME", home.path());
    run.fails(1, &["`test/nosuch`", "404"]);
    let unknown = from_hub("download", &hub, &home).args(["--revision", "v9"]);
    unknown.fails(1, &["`test/tiny`", "404"]);
}

#[test]
fn an_endpoint_may_end_with_a_slash() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::None), home());
    let run = from_hub("download", &hub, &home);
    run.env("HF_ENDPOINT", format!("{}/", hub.endpoint())).succeeds();
    assert!(hub.requests().iter().all(|request| !request.path.contains("//")));
}
