//! GGUF files on a hub, by their quantisation or their name.

use crate::command::{named_from_hub, named_offline, on_cpu, qwen3};
use crate::fixtures::{copy, embedding_model, folder};
use crate::http::respond;
use crate::hub_server::{COMMIT, Flaw, Hub, MODEL, sha256};
use crate::vectors::of_objects;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const Q8: &str = "tiny-Q8_0.gguf";
const F16: &str = "tiny-f16.gguf";

fn file() -> PathBuf {
    folder("gguf").join("tiny-embedding-q8_0.gguf")
}

/// A folder in which the fixture has these names.
fn files(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in names {
        fs::copy(file(), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("README.md"), "two files").unwrap();
    folder
}

/// A hub with these files, and an empty `HF_HOME`.
fn hub_with(names: &[&str]) -> (Hub, TempDir) {
    (Hub::serve(files(names).path(), Flaw::None), TempDir::new().unwrap())
}

fn named(file: &str) -> String {
    format!("{MODEL}:{file}")
}

fn snapshot(home: &TempDir) -> PathBuf {
    home.path().join("hub/models--test--tiny/snapshots").join(COMMIT)
}

/// Expects that a name means this file of the hub.
#[track_caller]
fn check(hub: &Hub, home: &TempDir, name: &str, expected: &str) {
    let outcome = named_from_hub(["download", name], hub, home).succeeds();
    assert_eq!(Path::new(outcome.text().trim_end()), snapshot(home).join(expected), "{name}");
    assert_eq!(outcome.stderr, "");
    let outcome = named_offline(["download", name], home).succeeds();
    assert_eq!(Path::new(outcome.text().trim_end()), snapshot(home).join(expected), "{name}");
}

/// Expects that a name is refused with all of these words, and nothing is downloaded.
#[track_caller]
fn check_refused(names: &[&str], name: &str, words: &[&str]) {
    let (hub, home) = hub_with(names);
    named_from_hub(["download", name], &hub, &home).fails(1, words);
    assert_eq!(hub.files(), [""; 0]);
}

#[test]
fn a_gguf_file_of_a_hub_is_a_model() {
    let (hub, home) = hub_with(&[Q8, F16]);
    let run = ["embed", &named("Q8_0")];
    let texts = ["--device", "cpu", "a text"];
    let found = named_from_hub(run, &hub, &home).args(texts).succeeds().jsonl();
    let again = named_offline(run, &home).args(texts).succeeds().jsonl();
    let expected = on_cpu("embed", &file(), ["a text"]).succeeds().jsonl();
    assert_eq!(of_objects(&found), of_objects(&expected));
    assert_eq!(of_objects(&again), of_objects(&expected));
    // Nothing but that file is needed.
    assert_eq!(hub.files(), [Q8]);
}

#[test]
fn a_gguf_file_is_named_by_its_quantisation_or_its_name() {
    let (hub, home) = hub_with(&[Q8, F16, "mmproj-tiny-f16.gguf"]);
    for name in ["Q8_0", "q8_0", Q8, "tiny-Q8_0", "TINY-q8_0"] {
        check(&hub, &home, &named(name), Q8);
    }
    for name in ["F16", "f16", F16] {
        check(&hub, &home, &named(name), F16);
    }
    assert_eq!(hub.files(), [Q8, F16]);
}

#[test]
fn what_is_in_the_cache_is_found_without_the_hub() {
    let (hub, home) = hub_with(&[Q8, F16]);
    named_from_hub(["download", &named("Q8_0")], &hub, &home).succeeds();
    let asked = hub.requests().len();
    check(&hub, &home, &named("Q8_0"), Q8);
    assert_eq!(hub.requests().len(), asked);

    let words = ["`test/tiny:F16`", "not in the cache", "HF_HUB_OFFLINE", "`test/tiny:Q8_0`"];
    named_offline(["info", &named("F16")], &home).fails(1, &words);
    let empty = TempDir::new().unwrap();
    let words = ["`test/tiny:Q8_0`", "not in the cache", "HF_HUB_OFFLINE"];
    named_offline(["info", &named("Q8_0")], &empty).fails(1, &words);

    named_from_hub(["download", &named("F16")], &hub, &home).succeeds();
    let words = ["`test/tiny`", "several", "`test/tiny:Q8_0`", "`test/tiny:f16`"];
    named_offline(["info", MODEL], &home).fails(1, &words);
}

#[test]
fn the_only_gguf_file_needs_no_name() {
    let (hub, home) = hub_with(&[Q8, "mmproj-tiny.gguf"]);
    check(&hub, &home, MODEL, Q8);
    let asked = hub.requests().len();
    check(&hub, &home, MODEL, Q8);
    assert_eq!(hub.requests().len(), asked);
}

/// A file that was asked for by its name doesn't stand for the whole model.
#[test]
fn one_of_several_gguf_files_in_the_cache_is_not_the_only_one() {
    let (hub, home) = hub_with(&[Q8, F16]);
    named_from_hub(["download", &named("Q8_0")], &hub, &home).succeeds();
    named_from_hub(["download", MODEL], &hub, &home).fails(1, &["several", "`test/tiny:f16`"]);
}

#[test]
fn safetensors_come_before_gguf_files() {
    let model = copy(&embedding_model());
    fs::copy(file(), model.path().join(Q8)).unwrap();
    let (hub, home) = (Hub::serve(model.path(), Flaw::None), TempDir::new().unwrap());
    let outcome = named_from_hub(["download", MODEL], &hub, &home).succeeds();
    assert_eq!(Path::new(outcome.text().trim_end()), snapshot(&home));
    assert!(!hub.files().contains(&Q8.to_owned()), "{:?}", hub.files());
    check(&hub, &home, &named("Q8_0"), Q8);
}

#[test]
fn a_name_that_means_no_file_or_several_is_answered_with_those_that_there_are() {
    let choices = ["`test/tiny:Q8_0`", "`test/tiny:f16`"];
    for name in ["Q4_0", "latest", "Q8", "tiny-Q8_0.safetensors", "README.md"] {
        let name = named(name);
        check_refused(
            &[Q8, F16],
            &name,
            &[&[name.as_str(), "not on the hub"], &choices[..]].concat(),
        );
    }
    check_refused(&[Q8, F16], MODEL, &[&["`test/tiny`", "several"], &choices[..]].concat());
    let two = ["v1-Q8_0.gguf", "v2-Q8_0.gguf"];
    let words = ["`test/tiny:q8_0`", "`test/tiny:v1-Q8_0.gguf`", "`test/tiny:v2-Q8_0.gguf`"];
    check_refused(&two, &named("q8_0"), &words);
    check_refused(&["mmproj-f16.gguf"], &named("f16"), &["`test/tiny:f16`", "no GGUF file"]);
    let many: Vec<String> = (0..60).map(|version| format!("v{version}-Q8_0.gguf")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    check_refused(&many, &named("Q8_0"), &["`test/tiny:v0-Q8_0.gguf`", "20 more"]);
}

#[test]
fn a_gguf_file_in_parts_is_refused_with_the_way_out() {
    let parts = ["tiny-BF16-00001-of-00002.gguf", "tiny-BF16-00002-of-00002.gguf"];
    let words = ["parts", "-of-00002.gguf` of", "`llama-gguf-split --merge`"];
    for name in
        [named("bf16"), named(parts[0]), named("tiny-BF16-00002-of-00002"), MODEL.to_owned()]
    {
        check_refused(&parts, &name, &words);
    }
    let (hub, home) = hub_with(&[parts[0], parts[1], Q8]);
    check(&hub, &home, &named("Q8_0"), Q8);
}

#[test]
fn a_gguf_file_that_broke_off_is_resumed_in_the_middle() {
    let folder = files(&[Q8, F16]);
    let flaw = Flaw::BreaksOff { after_bytes: 30_000, times: 1 };
    let (hub, home) = (Hub::serve(folder.path(), flaw), TempDir::new().unwrap());
    check(&hub, &home, &named("Q8_0"), Q8);
    assert_eq!(hub.starts(), [0, 30_000]);
    assert!(fs::read(snapshot(&home).join(Q8)).unwrap() == fs::read(file()).unwrap());
}

#[test]
fn a_gguf_download_that_was_given_up_is_resumed_by_the_next_run() {
    let folder = files(&[Q8]);
    let broken = Flaw::BreaksOff { after_bytes: 9_000, times: 99 };
    let (broken, home) = (Hub::serve(folder.path(), broken), TempDir::new().unwrap());
    let words = ["can't download `tiny-Q8_0.gguf` of `test/tiny`", "resumes"];
    named_from_hub(["download", &named("Q8_0")], &broken, &home).fails(1, &words);
    named_offline(["info", &named("Q8_0")], &home).fails(1, &["not in the cache"]);
    let etag = sha256(&fs::read(file()).unwrap());
    let part = home.path().join(format!("hub/models--test--tiny/blobs/{etag}.part"));
    let arrived = fs::metadata(part).unwrap().len() as usize;

    let hub = Hub::serve(folder.path(), Flaw::None);
    check(&hub, &home, &named("Q8_0"), Q8);
    assert!(arrived > 0);
    assert_eq!(hub.starts(), [arrived]);
}

#[test]
fn a_dtype_that_is_not_read_is_not_downloaded() {
    let files = ["tiny-IQ4_XS.gguf", "tiny-MXFP4.gguf", Q8];
    let words = ["`tiny-IQ4_XS.gguf` of `test/tiny`", "not read; take `test/tiny:Q8_0`"];
    for name in ["iq4_xs", "tiny-IQ4_XS.gguf"] {
        check_refused(&files, &named(name), &words);
    }
    check_refused(&files[..1], MODEL, &["`tiny-IQ4_XS.gguf`", "not read"]);
    let (hub, home) = hub_with(&files);
    check(&hub, &home, MODEL, Q8);
    let (hub, home) = hub_with(&[]);
    let words = ["`test/tiny`", "neither a config.json nor a GGUF file"];
    named_from_hub(["info", MODEL], &hub, &home).fails(1, &words);
}

#[test]
fn a_revision_of_a_gguf_file_is_asked_for_by_its_name() {
    let (hub, home) = hub_with(&[Q8, F16]);
    let run = named_from_hub(["download", &named("Q8_0")], &hub, &home);
    run.args(["--revision", "v1.0"]).succeeds();
    let requests = hub.requests();
    assert!(requests.iter().all(|request| !request.path.contains("main")), "{requests:?}");
    named_offline(["info", &named("Q8_0")], &home).args(["--revision", "v1.0"]).succeeds();
    named_offline(["info", &named("Q8_0")], &home).fails(1, &["not in the cache"]);
}

#[test]
fn a_gguf_file_that_arrives_damaged_is_refused() {
    let model = files(&[Q8]);
    let (hub, home) = (Hub::serve(model.path(), Flaw::DamagesWeights), TempDir::new().unwrap());
    let words = ["`tiny-Q8_0.gguf` of `test/tiny`", "damaged", "again"];
    named_from_hub(["download", &named("Q8_0")], &hub, &home).fails(1, &words);
    named_offline(["info", &named("Q8_0")], &home).fails(1, &["not in the cache"]);
}

#[test]
fn names_that_could_be_elsewhere_are_passed_over() {
    let names = ["../x-Q8_0.gguf", "/tmp/x-Q8_0.gguf", "a/../../x-Q8_0.gguf", "..\\x-Q8_0.gguf"];
    let others =
        ["C:x-Q8_0.gguf", "\u{1b}[2Jx-Q8_0.gguf", "x\0-Q8_0.gguf", "nul.Q8_0.gguf", "x?-Q8_0.gguf"];
    for name in names.into_iter().chain(others) {
        let siblings = serde_json::json!([{"rfilename": name}, {"rfilename": F16}]);
        let listing = serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string();
        let hub = Hub::answer(move |_, stream| respond(stream, "200 OK", "", listing.as_bytes()));
        let around = TempDir::new().unwrap();
        let run = qwen3(["download", "--model", &named("Q8_0")]).env("HF_ENDPOINT", hub.endpoint());
        let run = run.env("HF_HOME", around.path().join("home"));
        let outcome = run.fails(1, &["not on the hub", "`test/tiny:f16`"]);
        assert!(!outcome.stderr.contains("x-Q8_0") && !outcome.stderr.contains('\u{1b}'));
        assert_eq!((hub.requests().len(), fs::read_dir(around.path()).unwrap().count()), (1, 0));
    }
}

#[test]
fn paths_come_before_names_of_the_hub() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("test")).unwrap();
    // A folder of this name is no model, and no hub is asked.
    let local = folder.path().join("test/tiny");
    fs::create_dir(&local).unwrap();
    fs::copy(file(), local.join(Q8)).unwrap();
    let mut run = qwen3(["info", "--model", MODEL]);
    run.command.current_dir(folder.path());
    fs::copy(file(), local.join(F16)).unwrap();
    fs::copy(file(), local.join("mmproj-a.gguf")).unwrap();
    let words = ["`test/tiny`", "name one: `test/tiny/tiny-Q8_0.gguf`, `test/tiny/tiny-f16.gguf`"];
    let outcome = run.fails(1, &words);
    assert!(!outcome.stderr.contains("mmproj"), "{outcome:?}");
    // A path with a wrong letter is not asked of a hub.
    for path in ["test/tony-Q8_0.gguf", "models/model.safetensors"] {
        qwen3(["info", "--model", path]).fails(1, &[path, "there is no file", "check the path"]);
    }
    // A file is one by how it begins.
    fs::copy(file(), folder.path().join("any.name")).unwrap();
    let mut run = qwen3(["download", "--model", "any.name"]);
    run.command.current_dir(folder.path());
    assert_eq!(run.succeeds().text(), "any.name\n");
    for path in ["C:\\models\\x.gguf", "C:/models/x.gguf", "test/tiny:..", "test/tiny:/a"] {
        let run = qwen3(["download", "--model", path]);
        run.fails(1, &["is neither a folder", "`owner/name:Q8_0`"]);
    }
}
