//! `--output`: what is in the file after a run that failed, or succeeded.

use crate::command::{Qwen3, on_cpu, qwen3};
use crate::fixtures::embedding_model;
use crate::vectors::of_npy;
use std::fs;
use std::path::{Path, PathBuf};

const OLD: &str = "results of last week\n";

/// A folder with a file of old results in it.
fn old_results() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.npy");
    fs::write(&path, OLD).unwrap();
    (folder, path)
}

fn embed_to(path: &Path) -> Qwen3 {
    on_cpu("embed", &embedding_model(), ["a", "--output"]).arg(path)
}

/// Expects that this failing run leaves old results alone, and no new file.
#[track_caller]
fn check_failure(run: impl Fn(&Path) -> Qwen3, words: &[&str]) {
    let (folder, old) = old_results();
    run(&old).fails(1, words);
    assert_eq!(fs::read_to_string(&old).unwrap(), OLD, "the old results");
    let new = folder.path().join("new.npy");
    run(&new).fails(1, words);
    assert!(!new.exists(), "an empty file was left behind");
}

#[test]
fn new_results_replace_old_ones() {
    let (_folder, path) = old_results();
    embed_to(&path).succeeds();
    assert!(fs::read(&path).unwrap().starts_with(b"\x93NUMPY"));
}

#[test]
fn a_shorter_result_leaves_nothing_of_a_longer_one() {
    let (_folder, path) = old_results();
    fs::write(&path, "x".repeat(100_000)).unwrap();
    embed_to(&path).args(["--format", "f32"]).succeeds();
    assert_eq!(fs::metadata(&path).unwrap().len(), 32 * 4);
}

#[test]
fn old_results_stay_if_the_model_can_not_be_loaded() {
    let (_folder, path) = old_results();
    qwen3(["embed", "--model", "nosuch", "a", "--output"]).arg(&path).fails(1, &["`nosuch`"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), OLD);
}

#[test]
fn a_model_that_can_not_be_loaded_leaves_no_file() {
    let run = |path: &Path| qwen3(["embed", "--model", "nosuch", "a", "--output"]).arg(path);
    check_failure(run, &["`nosuch`"]);
}

#[test]
fn options_that_the_model_refuses_leave_no_file() {
    check_failure(|path| embed_to(path).args(["--dimensions", "99"]), &["99 dimensions"]);
    check_failure(|path| embed_to(path).args(["--prompt-name", "nosuch"]), &["`nosuch`"]);
}

#[test]
fn a_broken_input_leaves_no_file() {
    let run = |path: &Path| {
        on_cpu("embed", &embedding_model(), ["--output"]).arg(path).stdin(b"\xff\n".as_slice())
    };
    check_failure(run, &["line 1 of `standard input`"]);
}

#[test]
fn a_file_that_can_not_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nosuch").join("vectors.npy");
    embed_to(&nowhere).fails(1, &["can't write", nowhere.to_str().unwrap()]);
    embed_to(folder.path()).fails(1, &["can't write", folder.path().to_str().unwrap()]);
}

#[test]
fn an_unwritable_output_is_found_before_the_model_is_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nosuch").join("vectors.npy");
    let run = qwen3(["embed", "--model", "nosuch", "a", "--output"]).arg(nowhere);
    run.fails(1, &["can't write"]);
}

#[test]
fn a_file_is_not_read_and_written_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("texts.txt");
    fs::write(&path, "a\nb\n").unwrap();
    let run = on_cpu("embed", &embedding_model(), ["--input"]).arg(&path).args(["--output"]);
    run.arg(&path).fails(1, &["texts.txt"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\n");
}

/// Runs `qwen3 embed` in a shell, where `$@` is that.
#[cfg(unix)]
fn in_shell(folder: &Path, script: &str) -> std::process::Output {
    let embed = on_cpu("embed", &embedding_model(), []);
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(folder).args(["-c", script, "sh"]).arg(embed.command.get_program());
    shell.args(embed.command.get_args()).output().unwrap()
}

#[cfg(unix)]
#[test]
fn no_input_is_written_to_by_whatever_name() {
    let folder = tempfile::tempdir().unwrap();
    let texts = folder.path().join("texts");
    fs::write(&texts, "a\nb\n").unwrap();
    fs::hard_link(&texts, folder.path().join("hard")).unwrap();
    std::os::unix::fs::symlink("hard", folder.path().join("link")).unwrap();
    for script in [
        "\"$@\" --input texts --output hard",
        "\"$@\" --input texts --output link",
        "\"$@\" --input link --output hard",
        "\"$@\" --output texts <texts",
        "\"$@\" --input - --output hard <texts",
        "\"$@\" --input /dev/stdin --output texts <texts",
        "\"$@\" <texts >>texts",
        "\"$@\" --input hard >>texts",
        "\"$@\" --output /dev/stdout <texts >>hard",
    ] {
        let output = in_shell(folder.path(), script);
        assert_eq!(output.status.code(), Some(1), "{script}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("read by this run"), "{output:?}");
        assert_eq!(fs::read_to_string(&texts).unwrap(), "a\nb\n", "{script}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[cfg(unix)]
#[test]
fn what_the_shell_appends_to_is_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    for (script, kept) in [
        ("\"$@\" a --output /dev/stdout >>results", true),
        ("\"$@\" a --output /dev/fd/1 >>results", true),
        ("\"$@\" a --output results >>results", true),
        ("\"$@\" a --output /dev/stderr 2>>results", true),
        ("\"$@\" a --output /dev/fd/3 3>>results", true),
        ("\"$@\" a >>results", true),
        ("\"$@\" a >results", false),
        ("\"$@\" a --output /dev/null >>results", true),
    ] {
        fs::write(&results, OLD).unwrap();
        let output = in_shell(folder.path(), script);
        assert_eq!(output.status.code(), Some(0), "{script}: {output:?}");
        let found = fs::read_to_string(&results).unwrap();
        assert_eq!(found.strip_prefix(OLD).is_some(), kept, "{script}: {found}");
        let rows = found.lines().filter(|line| line.contains("embedding")).count();
        assert_eq!(rows, usize::from(!script.contains("null")), "{script}: {found}");
        assert!(fs::metadata("/dev/null").is_ok_and(|null| !null.is_file()));
    }
}

#[test]
fn a_file_of_the_model_is_not_written_to() {
    let model = crate::fixtures::copy(&embedding_model());
    let weights = model.path().join("model.safetensors");
    let before = fs::read(&weights).unwrap();
    let check = |run: Qwen3, flag: &str| {
        run.args([flag]).arg(&weights).fails(1, &["model.safetensors"]);
        assert_eq!(fs::read(&weights).unwrap(), before);
    };
    check(on_cpu("embed", model.path(), ["a"]), "--output");
    check(on_cpu("similarity", model.path(), ["--query", "a", "--document", "b"]), "--output");
    check(on_cpu("rerank", model.path(), ["--query", "a", "b", "--kind", "reranker"]), "--output");
    check(qwen3(["convert", "--force", "--model"]).arg(model.path()), "--out");
}

#[test]
fn vectors_for_a_file_need_no_room_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.npy");
    embed_to(&path).env("TMPDIR", "/nonexistent").env("TMP", "/nonexistent").succeeds();
    assert_eq!(of_npy(&fs::read(&path).unwrap()).len(), 1);
    #[cfg(unix)]
    {
        fs::write(&path, "x".repeat(10_000)).unwrap();
        let script =
            "export TMPDIR=/nonexistent; echo first && \"$@\" a b --format npy && echo last";
        let output = in_shell(folder.path(), &format!("({script}) >vectors.npy"));
        assert!(output.status.success(), "{output:?}");
        let found = fs::read(&path).unwrap();
        let npy = found.strip_prefix(b"first\n").and_then(|rest| rest.strip_suffix(b"last\n"));
        assert_eq!(of_npy(npy.unwrap()).len(), 2);
        // Into a pipe they have to wait.
        let run = on_cpu("embed", &embedding_model(), ["a", "--format", "npy"]);
        run.env("TMPDIR", "/nonexistent").fails(1, &["`/nonexistent`", "`--output`", "`TMPDIR`"]);
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_is_filled_and_stays_if_nothing_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("link"), folder.path().join("target"));
    std::os::unix::fs::symlink("target", &link).unwrap();
    embed_to(&link).args(["--dimensions", "99"]).fails(1, &["99 dimensions"]);
    assert!(link.is_symlink() && !target.exists());
    for text in ["--format=jsonl", "--format=json"] {
        embed_to(&link).args([text]).succeeds();
        assert!(link.is_symlink() && fs::metadata(&target).is_ok_and(|file| file.len() > 0));
    }
}

#[cfg(unix)]
#[test]
fn a_device_is_no_place_for_a_model() {
    let run = qwen3(["convert", "--force", "--model"]).arg(embedding_model());
    run.args(["--out", "/dev/null"]).fails(1, &["can't write `/dev/null`", "not a regular file"]);
    assert!(fs::metadata("/dev/null").is_ok_and(|null| !null.is_file()));
}

#[test]
fn names_may_be_as_long_as_the_system_allows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v".repeat(255));
    embed_to(&path).succeeds();
    qwen3(["convert", "--force", "--model"])
        .arg(embedding_model())
        .arg("--out")
        .arg(&path)
        .succeeds();
    let longer = folder.path().join("v".repeat(256));
    embed_to(&longer).fails(1, &["can't write"]);
    qwen3(["convert", "--model"])
        .arg(embedding_model())
        .arg("--out")
        .arg(longer)
        .fails(1, &["can't write"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_not_a_success() {
    embed_to(Path::new("/dev/full")).fails(1, &["can't write `/dev/full`", "No space left"]);
}
