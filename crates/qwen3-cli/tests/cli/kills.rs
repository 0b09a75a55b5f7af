//! A process that is killed leaves the old file or the new one, never a part of it.

use crate::command::{Qwen3, finish, on_cpu, qwen3};
use crate::fixtures::embedding_model;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

const OLD: &str = "the old file\n";
/// So many moments of a run, evenly over its time.
const KILLS: u32 = 5;

/// Kills runs that write to a path, and looks what is there afterwards: `is_whole` tells
/// a result. `run` is the same each time.
#[track_caller]
fn check(run: impl Fn(&Path) -> Qwen3, is_whole: impl Fn(&Path) -> bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result");
    fs::write(&path, OLD).unwrap();
    let started = Instant::now();
    run(&path).succeeds();
    let time = started.elapsed();
    assert!(is_whole(&path));
    for kill in 0..KILLS {
        fs::write(&path, OLD).unwrap();
        let mut child = run(&path).start();
        // Nothing is sent: the texts are in a file.
        drop(child.stdin.take());
        thread::sleep(time * (kill + 1) / (KILLS + 1));
        drop(child.kill());
        let outcome = finish(child, "killed");
        let is_old = fs::read(&path).unwrap() == OLD.as_bytes();
        assert!(is_old || is_whole(&path), "{outcome:?}");
    }
    run(&path).succeeds();
    assert!(is_whole(&path));
    let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(Vec::from_iter(left), [path], "the next run cleans up");
}

#[test]
fn a_killed_embed_leaves_the_old_vectors_or_the_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("texts.txt");
    let lines: Vec<String> = (0..4_200).map(|number| format!("text {number}\n")).collect();
    fs::write(&input, lines.concat()).unwrap();
    for format in ["npy", "jsonl", "json"] {
        let run = |path: &Path| {
            let run = on_cpu("embed", &embedding_model(), ["--format", format, "--input"]);
            run.arg(&input).args(["--output"]).arg(path)
        };
        let new = folder.path().join(format);
        run(&new).succeeds();
        let new = fs::read(new).unwrap();
        check(run, |path| fs::read(path).unwrap() == new);
    }
}

#[test]
fn a_killed_convert_leaves_the_old_model_or_the_new_one() {
    let run = |path: &Path| {
        let run = qwen3(["convert", "--force", "--model"]).arg(embedding_model());
        run.args(["--out"]).arg(path)
    };
    // Every byte of it has a checksum.
    check(run, |path| qwen3(["info", "--model"]).arg(path).outcome().code == Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_evaluation_leaves_no_vectors_that_were_not_to_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let row = |at: u32| {
        format!("{{\"sentence1\": \"text {at}\", \"sentence2\": \"a\", \"score\": {at}}}\n")
    };
    let data = folder.path().join("pairs.jsonl");
    fs::write(&data, (0..4_200).map(row).collect::<String>()).unwrap();
    let temporary = folder.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let run = || {
        let run = on_cpu("eval", &embedding_model(), ["--no-cache"]).arg(&data);
        run.env("TMPDIR", &temporary)
    };
    let started = Instant::now();
    run().succeeds();
    let time = started.elapsed();
    for kill in 0..KILLS {
        let mut child = run().start();
        drop(child.stdin.take());
        thread::sleep(time * (kill + 1) / (KILLS + 1));
        drop(child.kill());
        let outcome = finish(child, "killed");
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{outcome:?}");
    }
}

#[test]
fn a_size_limit_that_ends_a_process_ends_it_before_the_old_file_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result.npy");
    fs::write(&path, OLD).unwrap();
    let embed = on_cpu("embed", &embedding_model(), ["--output"]).arg(&path).args(vec!["a"; 100]);
    let mut shell = std::process::Command::new("sh");
    // In blocks of 512 bytes or more: less than 100 vectors take.
    shell
        .args(["-c", "ulimit -c 0; ulimit -f 2; exec \"$@\"", "sh"])
        .arg(embed.command.get_program());
    shell.args(embed.command.get_args());
    let output = shell.output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), OLD);
}
