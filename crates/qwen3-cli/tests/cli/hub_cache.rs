//! The cache that is shared with other programs: what they left, and what is left
//! for them, whenever a run ends.

use crate::command::{finish, from_hub, offline, on_cpu, qwen3};
use crate::fixtures::embedding_model;
use crate::hub_server::{COMMIT, Flaw, Hub, MODEL, git_sha1, sha256};
use crate::vectors::of_objects;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const SINGLE: &str = "model.safetensors";

fn repo(home: &TempDir) -> PathBuf {
    home.path().join("hub/models--test--tiny")
}

/// A cache as another program leaves it that needs these files alone.
fn cache_with(model: &Path, files: &[&str]) -> TempDir {
    let home = TempDir::new().unwrap();
    let snapshot = repo(&home).join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(repo(&home).join("refs")).unwrap();
    for file in files {
        fs::copy(model.join(file), snapshot.join(file)).unwrap();
    }
    fs::write(repo(&home).join("refs/main"), COMMIT).unwrap();
    home
}

/// A model that has a prompt of its own, and a cache with what runs it without.
fn model_with_prompts() -> (TempDir, TempDir) {
    let model = TempDir::new().unwrap();
    fs::create_dir(model.path().join("1_Pooling")).unwrap();
    for folder in ["", "1_Pooling"] {
        for entry in fs::read_dir(embedding_model().join(folder)).unwrap().flatten() {
            if entry.path().is_file() {
                let copy = model.path().join(folder).join(entry.file_name());
                fs::copy(entry.path(), copy).unwrap();
            }
        }
    }
    let prompts = r#"{"prompts": {"query": "Q: "}}"#;
    fs::write(model.path().join("config_sentence_transformers.json"), prompts).unwrap();
    let cache = cache_with(model.path(), &["config.json", "tokenizer.json", SINGLE]);
    (model, cache)
}

const QUERY: [&str; 5] = ["--device", "cpu", "--prompt-name", "query", "a text"];

#[test]
fn what_another_program_left_out_is_downloaded() {
    let (model, home) = model_with_prompts();
    let hub = Hub::serve(model.path(), Flaw::None);
    let found = from_hub("embed", &hub, &home).args(QUERY).succeeds();
    let expected = on_cpu("embed", model.path(), QUERY.into_iter().skip(2)).succeeds();
    assert_eq!(of_objects(&found.jsonl()), of_objects(&expected.jsonl()));
    assert!(!hub.files().contains(&SINGLE.to_owned()), "{:?}", hub.files());

    // Then it is whole, which is remembered.
    let asked = hub.requests().len();
    let again = offline("embed", &home).args(QUERY).succeeds();
    assert_eq!(again.stderr, "");
    from_hub("embed", &hub, &home).args(QUERY).succeeds();
    assert_eq!(hub.requests().len(), asked);
}

#[test]
fn what_another_program_left_out_is_told_where_it_can_not_be_downloaded() {
    let (_model, home) = model_with_prompts();
    let words = ["`test/tiny`", "`config_sentence_transformers.json`", "`modules.json`"];
    let nowhere = qwen3(["info", "--model", MODEL]).env("HF_HOME", home.path());
    for run in [offline("info", &home), nowhere] {
        let outcome = run.succeeds();
        assert!(words.iter().all(|word| outcome.stderr.contains(word)), "{outcome:?}");
    }
    let quiet = offline("info", &home).args(["--quiet"]).succeeds();
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_damaged_file_of_text_is_refused_and_nothing_of_it_loads() {
    let home = TempDir::new().unwrap();
    let hub = Hub::serve(&embedding_model(), Flaw::DamagesConfig);
    let words = ["`config.json` of `test/tiny`", "damaged", "again"];
    from_hub("download", &hub, &home).fails(1, &words);
    offline("info", &home).fails(1, &["not in the cache"]);
}

#[test]
fn content_of_another_program_is_verified_before_it_is_used() {
    let weights = fs::read(embedding_model().join(SINGLE)).unwrap();
    let home = TempDir::new().unwrap();
    let blob = repo(&home).join("blobs").join(sha256(&weights));
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    fs::write(&blob, &weights[..1000]).unwrap();
    let hub = Hub::serve(&embedding_model(), Flaw::None);
    from_hub("download", &hub, &home).succeeds();
    assert!(fs::read(blob).unwrap() == weights);
}

/// A run that finds a part of the weights, at a hub that has its way with ranges.
#[track_caller]
fn check_part(content: &[u8], flaw: Flaw) {
    let weights = fs::read(embedding_model().join(SINGLE)).unwrap();
    let home = TempDir::new().unwrap();
    let blob = repo(&home).join("blobs").join(sha256(&weights));
    fs::create_dir_all(blob.parent().unwrap()).unwrap();
    fs::write(blob.with_extension("part"), content).unwrap();
    let hub = Hub::serve(&embedding_model(), flaw);
    from_hub("download", &hub, &home).succeeds();
    assert!(fs::read(blob).unwrap() == weights);
}

#[test]
fn a_part_is_continued_only_by_the_rest_of_its_file() {
    let weights = fs::read(embedding_model().join(SINGLE)).unwrap();
    check_part(&weights[..60_000], Flaw::IgnoresRanges);
    check_part(&weights[..60_000], Flaw::ConfusesRanges);
    // Of another file, or too long: not even one failure.
    check_part(&[1; 60_000], Flaw::None);
    check_part(&vec![0; 1 << 20], Flaw::None);
}

#[test]
fn a_list_of_files_is_asked_for_again() {
    let home = TempDir::new().unwrap();
    let hub = Hub::serve(&embedding_model(), Flaw::IsBusyFirst { times: 2 });
    from_hub("download", &hub, &home).succeeds();
}

/// The lock is where huggingface_hub has it.
#[test]
fn a_download_waits_for_that_of_another_program() {
    let home = TempDir::new().unwrap();
    let config = fs::read(embedding_model().join("config.json")).unwrap();
    let locks = home.path().join("hub/.locks/models--test--tiny");
    fs::create_dir_all(&locks).unwrap();
    let lock = File::create(locks.join(format!("{}.lock", git_sha1(&config)))).unwrap();
    lock.lock().unwrap();
    let hub = Hub::serve(&embedding_model(), Flaw::None);
    let mut waiting = from_hub("download", &hub, &home).start();
    thread::sleep(Duration::from_secs(2));
    assert!(waiting.try_wait().unwrap().is_none());
    lock.unlock().unwrap();
    let outcome = finish(waiting, "download, waiting");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("another program"), "{outcome:?}");
}

#[test]
fn the_same_model_may_be_downloaded_twice_at_once() {
    let home = TempDir::new().unwrap();
    let hub = Hub::serve(&embedding_model(), Flaw::None);
    let runs: Vec<_> = (0..4).map(|_| from_hub("download", &hub, &home).start()).collect();
    for run in runs {
        let outcome = finish(run, "download, one of four");
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }
    offline("embed", &home).args(["--device", "cpu", "a text"]).succeeds();
}

/// Every name below a folder, sorted.
fn names(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(names(&path));
        }
        found.push(path);
    }
    found.sort_unstable();
    found
}

/// Killed at any time, the cache has the model or hasn't, and another run makes
/// it the same as one that was never killed. `QWEN3_KILLS` are how many.
#[test]
fn a_run_that_is_killed_leaves_nothing_wrong() {
    let kills = std::env::var("QWEN3_KILLS").map_or(5, |kills| kills.parse().unwrap());
    let whole = TempDir::new().unwrap();
    let fast = Hub::serve(&embedding_model(), Flaw::None);
    from_hub("download", &fast, &whole).succeeds();
    let relative = |home: &TempDir| -> Vec<PathBuf> {
        let path = |path: PathBuf| path.strip_prefix(home.path()).unwrap().to_owned();
        names(home.path()).into_iter().map(path).collect()
    };
    let mut counts = [0; 3];
    for kill in 0..kills {
        let (home, slow) =
            (TempDir::new().unwrap(), Hub::serve(&embedding_model(), Flaw::TakesItsTime));
        let mut run = from_hub("download", &slow, &home).start();
        // From before its first request to after its last: about half a second.
        thread::sleep(Duration::from_millis((kill * 613 + 7) % 600));
        run.kill().unwrap();
        let is_done = finish(run, "download, killed").code == Some(0);
        let outcome = offline("embed", &home).args(["--device", "cpu", "a text"]).outcome();
        let is_there = outcome.code == Some(0);
        assert!(is_there || outcome.stderr.contains("not in the cache"), "{outcome:?}");
        assert!(is_there || !is_done);
        from_hub("download", &fast, &home).succeeds();
        assert_eq!(relative(&home), relative(&whole));
        offline("embed", &home).args(["--device", "cpu", "a text"]).succeeds();
        counts[usize::from(is_there) + usize::from(is_done)] += 1;
    }
    println!("killed before it was there, after, and too late: {counts:?}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_is_heard_while_a_hub_is_silent() {
    let hub = Hub::answer(|_, _| {
        thread::sleep(Duration::from_secs(100));
        Ok(())
    });
    let home = TempDir::new().unwrap();
    let child = from_hub("download", &hub, &home).start();
    while hub.requests().is_empty() {
        thread::sleep(Duration::from_millis(20));
    }
    let asked = std::time::Instant::now();
    crate::streams::interrupt(&child);
    let outcome = finish(child, "download, waiting for an answer");
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    // An answer is waited for twice as long.
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
}

/// As a user whom this machine doesn't know, in containers for one.
#[cfg(unix)]
#[test]
fn without_a_home_folder_a_cache_can_be_named() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 54_321;
    let hub = Hub::serve(&embedding_model(), Flaw::None);
    let homeless = |arguments: &[&str]| {
        let mut run = qwen3(arguments).args(["--model", MODEL]).env("HF_ENDPOINT", hub.endpoint());
        run.command.env_remove("HF_HOME").env_remove("HOME").uid(NOBODY);
        run
    };
    if homeless(&["--version"]).command.output().is_err() {
        println!("not run: only root can start the program as another user");
        return;
    }
    homeless(&["info"]).fails(1, &["HF_HOME"]);
    homeless(&["download"]).fails(1, &["HF_HOME"]);
    let (named, variable) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for folder in [&named, &variable] {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    }
    homeless(&["download"]).arg("--cache-folder").arg(named.path()).succeeds();
    homeless(&["download"]).env("HF_HUB_CACHE", variable.path()).succeeds();
    homeless(&["info"]).env("HF_HUB_CACHE", variable.path()).succeeds();
}

#[test]
fn a_cache_that_can_not_be_written_is_told_with_a_way_out() {
    let hub = Hub::serve(&embedding_model(), Flaw::None);
    let file = tempfile::NamedTempFile::new().unwrap();
    let run = qwen3(["download", "--model", MODEL]).env("HF_ENDPOINT", hub.endpoint());
    run.env("HF_HOME", file.path()).fails(1, &["can't write", "HF_HOME"]);
}

/// What was killed goes on; what went on nowhere for long is of a file that is gone.
#[test]
fn parts_that_nobody_added_to_for_long_are_removed() {
    let (hub, home) = (Hub::serve(&embedding_model(), Flaw::None), TempDir::new().unwrap());
    let (blobs, locks) =
        (repo(&home).join("blobs"), home.path().join("hub/.locks/models--test--tiny"));
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(8 * 24 * 60 * 60);
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&locks).unwrap();
    let part = |name: &str, is_old: bool| {
        let path = blobs.join(name).with_extension("part");
        let file = File::create(&path).unwrap();
        if is_old {
            file.set_modified(long_ago).unwrap();
        }
        path
    };
    let [old, held, new] =
        [("a".repeat(40), true), ("b".repeat(40), true), ("c".repeat(64), false)]
            .map(|(name, is_old)| part(&name, is_old));
    let lock = File::create(locks.join(format!("{}.lock", "b".repeat(40)))).unwrap();
    lock.lock().unwrap();
    from_hub("download", &hub, &home).succeeds();
    assert_eq!([old, held, new].map(|part| part.exists()), [false, true, true]);
}
