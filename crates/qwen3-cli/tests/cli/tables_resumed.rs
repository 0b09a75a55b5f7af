//! A run on tables that was ended goes on, and only that run.

use crate::command::{Qwen3, finish};
use crate::table_files::{batch, embed, parts, rows, vectors, write};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Kills of one test, more by `QWEN3_KILLS`.
const KILLS: u32 = 5;

/// Rows of several parts, the last one a bit longer.
fn several_parts(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for file in 0..3 {
        let rows = 5_000 + 500 * file;
        write(
            &folder.join(format!("{file}.parquet")),
            &[batch(10_000 * file..10_000 * file + rows)],
        );
    }
    let lines = (0..5_000).map(|number| {
        format!("{{\"id\": {number}, \"body\": \"line {number}\", \"title\": \"\"}}\n")
    });
    fs::write(folder.join("lines.jsonl"), lines.collect::<String>()).unwrap();
}

/// Starts a run and kills it after this time; says whether that was before its end.
fn is_killed(run: Qwen3, after: Duration) -> bool {
    let mut child = run.start();
    drop(child.stdin.take());
    thread::sleep(after);
    drop(child.kill());
    let outcome = finish(child, "killed");
    assert!(matches!(outcome.code, None | Some(0)), "{outcome:?}");
    outcome.code.is_none()
}

#[test]
fn a_run_that_is_killed_goes_on_and_ends_as_if_nothing_had_been() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    several_parts(&at("in"));
    let run = |output: &str| {
        let run = embed(&at("in"), &at(output));
        run.args(["--text-column", "body", "--id-column", "id", "--max-batch-tokens", "512"])
    };
    let started = Instant::now();
    let rows = run("whole/").succeeds().json()["rows"].clone();
    let mut time = started.elapsed();
    let kills = std::env::var("QWEN3_KILLS").ok().and_then(|kills| kills.parse().ok());
    let (mut resumed, mut killed) = (0, 0);
    for kill in 0..kills.unwrap_or(KILLS) {
        match is_killed(run("killed/"), time * (1 + kill % 7) / 8) {
            true => killed += 1,
            // The machine was busier at first.
            false => time /= 2,
        }
        // Several kills of one run, and then its end.
        if kill % 3 == 2 {
            let summary = run("killed/").succeeds().json();
            resumed += summary["resumed"].as_u64().unwrap();
            assert_eq!(summary["rows"], rows);
            assert_eq!(parts(&at("killed")), parts(&at("whole")));
            fs::remove_dir_all(at("killed")).unwrap();
        }
    }
    run("killed/").succeeds();
    assert_eq!(parts(&at("killed")), parts(&at("whole")));
    assert!(killed > 0 && resumed > 0, "{killed} killed, {resumed} rows resumed");
    let left = fs::read_dir(at("killed/_qwen3")).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["manifest-0-of-1.json"]);
}

#[test]
fn a_finished_folder_has_nothing_left_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..9)]);
    let run = || embed(&at("in.parquet"), &at("out/")).args(["--text-column", "body"]);
    run().succeeds();
    let before = parts(&at("out"));
    let again = run().succeeds();
    assert!(again.stderr.contains("out/` is complete already"), "{again:?}");
    let again = again.json();
    assert_eq!((&again["resumed"], &again["texts"]), (&9.into(), &0.into()));
    assert_eq!(parts(&at("out")), before);
}

#[test]
fn a_run_that_came_to_nothing_binds_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = || embed(&at("in.csv"), &at("out.npy"));
    fs::write(at("in.csv"), "id,text\n1,a,b\n").unwrap();
    run().fails(1, &["line 2 of", "3 values", "names 2 columns"]);
    fs::write(at("in.csv"), "id,text\n1,a\n").unwrap();
    run().succeeds();
}

#[test]
fn another_run_in_the_same_folder_is_refused_until_it_is_told_to_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..9)]);
    let run = |arguments: &[&str]| {
        let run = embed(&at("in.parquet"), &at("out/")).args(["--text-column", "body"]);
        run.args(arguments.iter().copied())
    };
    run(&[]).succeeds();
    run(&["--dimensions", "16"]).fails(1, &["was begun with dimensions 32", "has 16", "--force"]);
    run(&["--prompt-name", "query"]).fails(1, &["was begun with prompt"]);
    run(&["--dtype", "q8_0"]).fails(1, &["was begun with dtype"]);
    write(&at("in.parquet"), &[batch(1..10)]);
    run(&[]).fails(1, &["in.parquet` has changed since", "--force"]);
    run(&["--force", "--dimensions", "16"]).succeeds();
    assert_eq!(vectors(&rows(&at("out/part-00000-00000.parquet")))[0].len(), 16);
    // A copy of the same file is the same file.
    fs::copy(at("in.parquet"), at("copy")).unwrap();
    fs::rename(at("copy"), at("in.parquet")).unwrap();
    run(&["--dimensions", "16"]).succeeds();
}

#[test]
fn a_part_that_was_cut_is_computed_again_and_one_of_nobody_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..9)]);
    for format in ["parquet", "arrow", "jsonl", "npy"] {
        let run = || {
            let run = embed(&at("in.parquet"), &at("out/")).args(["--text-column", "body"]);
            run.args(["--format", format])
        };
        run().succeeds();
        let (name, whole) = parts(&at("out")).pop_first().unwrap();
        fs::write(at("out").join(&name), &whole[..whole.len() - 3]).unwrap();
        assert_eq!(run().succeeds().json()["resumed"], 0, "{format}");
        assert_eq!(parts(&at("out")).pop_first().unwrap().1, whole, "{format}");
        fs::remove_file(at("out/_qwen3/manifest-0-of-1.json")).unwrap();
        run().fails(1, &["no manifest", "--force"]);
        fs::remove_dir_all(at("out")).unwrap();
    }
}
