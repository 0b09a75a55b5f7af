//! The program, killed while it indexes, and with an index that was cut off. `QWEN3_KILLS=20` kills
//! it so often; without the variable it is killed three times.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_qwen3-desk");
const FILES: usize = 300;

fn program(data: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("--data").arg(data).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn index(data: &Path, folder: &Path) -> Child {
    program(data).arg("index").arg(folder).spawn().unwrap()
}

fn finish(data: &Path, folder: &Path) -> String {
    let output = index(data, folder).wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    told
}

/// Everything in an index but the times of the files.
fn answers(data: &Path) -> Vec<String> {
    let queries = ["a storm at sea", "number 17", "the price of wheat", "how machines learn"];
    let answer = |query| {
        let output = program(data).args(["search", "-n", "50", query]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    queries.map(answer).to_vec()
}

fn write_notes(folder: &Path, files: usize) {
    let about =
        ["the sea", "wheat and bread", "learning machines", "old houses", "the price of oil"];
    for n in 0..files {
        let line = format!("Note {n} is about {} and about number {n}. ", about[n % about.len()]);
        let text: Vec<String> = (0..40).map(|part| format!("{line}Part {part} of it.")).collect();
        fs::write(folder.join(format!("{n}.txt")), text.join("\n")).unwrap();
    }
}

#[test]
fn an_index_that_was_killed_becomes_what_it_would_have_been() {
    let kills = std::env::var("QWEN3_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(3);
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_notes(notes.path(), FILES);
    for kill in 0..kills {
        let mut child = index(data.path(), notes.path());
        // Later and later, and at another moment each time.
        sleep(Duration::from_millis(150 + 137 * (kill % 10)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let told = finish(data.path(), notes.path());
    assert!(told.contains(&format!("{FILES} files")), "{told}");
    assert!(!told.contains("damaged"), "{told}");
    let fresh = tempfile::tempdir().unwrap();
    finish(fresh.path(), notes.path());
    assert_eq!(answers(data.path()), answers(fresh.path()));
}

#[test]
fn two_processes_do_not_share_an_index() {
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_notes(notes.path(), FILES);
    let mut first = index(data.path(), notes.path());
    sleep(Duration::from_millis(500));
    let second = program(data.path()).args(["search", "bread"]).output().unwrap();
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && told.contains("its window is open"), "{told}");
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn an_index_that_was_cut_off_is_built_anew() {
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_notes(notes.path(), 10);
    finish(data.path(), notes.path());
    let before = answers(data.path());
    let file = fs::File::options().write(true).open(data.path().join("index.redb")).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    drop(file);
    let searched = program(data.path()).args(["search", "bread"]).output().unwrap();
    let told = String::from_utf8(searched.stderr).unwrap();
    assert!(!searched.status.success() && told.contains("the index is damaged"), "{told}");
    let told = finish(data.path(), notes.path());
    assert!(told.contains("10 files"), "{told}");
    assert!(data.path().join("index.damaged").exists());
    assert_eq!(answers(data.path()), before);
}
