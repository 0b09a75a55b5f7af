//! Tables: a run that is killed, one that goes on, and one that reads what these have written.

use super::super::ROOT;
use super::program::Program;
use std::fmt::Write;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Several seconds' work for the slowest.
const ROWS: usize = 20_000;
/// A journal that is longer than this has results.
const HEADER_BYTES: u64 = 24;
const JOURNAL: &str = "vectors/_qwen3/part-00000-00000.parquet.journal";
/// When a run must have kept something.
const PATIENCE: Duration = Duration::from_secs(120);

/// Reads JSON lines and writes Parquet, then reads Parquet and writes Arrow's format.
pub fn killed_and_resumed(program: &Program) -> Result<(), String> {
    write_rows(&format!("{}/rows.jsonl", program.folder))?;
    let model = format!("{ROOT}/tests/fixtures/tiny-embedding");
    let embed = ["embed", "--device", "cpu", "--max-batch-tokens", "512", "--model", &model];
    let first = [&embed[..], &["--input", "rows.jsonl", "--output", "vectors/"]].concat();
    kill(program, &first)?;
    let resumed = program.run(&first)?;
    let all = format!(r#""rows":{ROWS},"#);
    if !resumed.said.contains(&all) || resumed.said.contains(r#""resumed":0,"#) {
        return Err(format!("it was killed and did not go on: {resumed:?}"));
    }
    let second = ["--input", "vectors", "--vector-column", "again", "--output", "again.arrow"];
    let read = program.run(&[&embed[..], &second].concat())?;
    match read.said.contains(&all) {
        true => Ok(()),
        false => Err(format!("it did not read its own tables: {read:?}")),
    }
}

fn write_rows(path: &str) -> Result<(), String> {
    let mut rows = String::new();
    for id in 0..ROWS {
        let _ = writeln!(rows, r#"{{"id": {id}, "text": "text number {id}"}}"#);
    }
    fs::write(path, rows).map_err(|error| format!("{path}: {error}"))
}

/// Starts a run, and kills it once it has kept results.
fn kill(program: &Program, arguments: &[&str]) -> Result<(), String> {
    let journal = format!("{}/{JOURNAL}", program.folder);
    let mut child = program.start(arguments)?;
    let begin = Instant::now();
    let is_begun = || fs::metadata(&journal).is_ok_and(|file| file.len() > HEADER_BYTES);
    while !is_begun() && begin.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(20));
    }
    let begun = is_begun();
    let _ = child.kill();
    let _ = child.wait();
    if begun { Ok(()) } else { Err(format!("no results are in `{journal}`")) }
}
