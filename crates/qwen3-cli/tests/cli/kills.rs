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

/// Kills runs that write to a path, and compares what is there afterwards. `run` is
/// the same each time.
#[track_caller]
fn check(run: impl Fn(&Path) -> Qwen3) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result");
    fs::write(&path, OLD).unwrap();
    let started = Instant::now();
    run(&path).succeeds();
    let (time, new) = (started.elapsed(), fs::read(&path).unwrap());
    for kill in 0..KILLS {
        fs::write(&path, OLD).unwrap();
        let mut child = run(&path).start();
        // Nothing is sent: the texts are in a file.
        drop(child.stdin.take());
        thread::sleep(time * (kill + 1) / (KILLS + 1));
        drop(child.kill());
        let outcome = finish(child, "killed");
        let found = fs::read(&path).unwrap();
        assert!(found == OLD.as_bytes() || found == new, "{} bytes, {outcome:?}", found.len());
    }
    run(&path).succeeds();
    assert_eq!(fs::read(&path).unwrap(), new);
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [path], "what was killed is cleaned up by the next run");
}

#[test]
fn a_killed_embed_leaves_the_old_vectors_or_the_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("texts.txt");
    let lines: Vec<String> = (0..9_000).map(|number| format!("text {number}\n")).collect();
    fs::write(&input, lines.concat()).unwrap();
    for format in ["npy", "jsonl", "json"] {
        check(|path| {
            let run = on_cpu("embed", &embedding_model(), ["--format", format, "--input"]);
            run.arg(&input).args(["--output"]).arg(path)
        });
    }
}

#[test]
fn a_killed_convert_leaves_the_old_model_or_the_new_one() {
    check(|path| {
        qwen3(["convert", "--force", "--model"]).arg(embedding_model()).args(["--out"]).arg(path)
    });
}

#[test]
fn a_size_limit_that_ends_a_process_ends_it_before_the_old_file_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result.npy");
    fs::write(&path, OLD).unwrap();
    let embed = on_cpu("embed", &embedding_model(), ["--output"]).arg(&path).args(vec!["a"; 100]);
    let mut shell = std::process::Command::new("sh");
    // In blocks of 512 bytes or more: less than 100 vectors take.
    shell.args(["-c", "ulimit -f 2; exec \"$@\"", "sh"]).arg(embed.command.get_program());
    shell.args(embed.command.get_args());
    let output = shell.output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), OLD);
}
