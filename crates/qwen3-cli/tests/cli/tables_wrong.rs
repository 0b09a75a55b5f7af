//! What is wrong with tables, told before anything is computed.

use crate::command::on_cpu;
use crate::table_files::{batch, embed, write};
use std::fs;
use std::path::Path;

/// Runs it on `in.parquet` with a model that isn't there, and expects these words.
#[track_caller]
fn fails(folder: &Path, input: &str, arguments: &[&str], words: &[&str]) {
    write(&folder.join("in.parquet"), &[batch(0..4)]);
    let run = on_cpu("embed", Path::new("/nonexistent/model"), ["--input"]);
    run.arg(folder.join(input)).args(arguments.iter().copied()).fails(1, words);
    assert!(!folder.join("out").exists());
}

#[test]
fn a_column_that_is_wrong_is_told_before_a_model_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out/");
    let fails = |arguments: &[&str], words: &[&str]| {
        let output = ["-o", out.to_str().unwrap()];
        fails(folder.path(), "in.parquet", &[&output, arguments].concat(), words);
    };
    fails(&[], &["--text-column", "`id`, `body`, `title`"]);
    fails(&["--text-column", "x"], &["no column `x`"]);
    fails(&["--text-column", "id"], &["type Int64, not texts"]);
    fails(&["--text-template", "{title"], &["`{`"]);
    fails(&["--text-column", "body", "--columns", "y"], &["no column `y`"]);
    fails(&["--text-column", "body", "--format", "json"], &["parquet, arrow"]);
}

#[test]
fn files_that_are_wrong_are_told_before_a_model_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(at("empty")).unwrap();
    fs::write(at("broken.parquet"), "PAR1 no").unwrap();
    let fails = |input: &str, output: &str, words: &[&str]| {
        fails(folder.path(), input, &["--text-column", "body", "-o", &at(output)], words);
    };
    fails("empty", "out/", &["no file that ends in"]);
    fails("*.csv", "out/", &["nothing matches"]);
    fails("nosuch.parquet", "out/", &["no table at"]);
    fails("broken.parquet", "out/", &["broken, or no Parquet file"]);
    fails("in.parquet", "out.f32", &["--format"]);
    fails("in.parquet", "in.parquet", &["is read by this run"]);
}

#[test]
fn a_folder_of_somebody_else_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..4)]);
    fs::create_dir(at("others")).unwrap();
    fs::write(at("others/file"), "mine").unwrap();
    let run = || embed(&at("in.parquet"), &at("others")).args(["--text-column", "body"]);
    run().fails(1, &["holds other files"]);
    run().args(["--overwrite"]).fails(1, &["holds other files"]);
    assert_eq!(fs::read_to_string(at("others/file")).unwrap(), "mine");
}

#[test]
fn a_share_does_nothing_to_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let fails = |arguments: &[&str], words: &[&str]| {
        let column = ["--text-column", "body", "--shard", "0/2"];
        fails(folder.path(), "in.parquet", &[&column, arguments].concat(), words);
    };
    fails(&["-o", &out("out.parquet")], &["name a folder"]);
    fails(&["-o", &out("out/"), "--overwrite"], &["for all shares"]);
}

#[test]
fn the_output_is_not_where_the_next_run_would_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    write(&data.join("in.parquet"), &[batch(0..4)]);
    for output in ["out/", "out.parquet", "../data/out/"] {
        let run = embed(&data, &data.join(output)).args(["--text-column", "body"]);
        run.fails(1, &["is in the folder"]);
    }
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
}
