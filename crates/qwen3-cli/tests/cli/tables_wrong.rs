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
    let npy = ["--text-column", "body", "--format", "npy", "--columns", "id"];
    fails(&npy, &["vectors alone"]);
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
    run().args(["--force"]).fails(1, &["holds other files"]);
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
    fails(&["-o", &out("out/"), "--force"], &["for all shares"]);
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

#[test]
fn ranges_that_have_no_width_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..4)]);
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 32), }";
    let mut ranges = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    ranges.extend(format!("{header:<117}\n").bytes());
    let numbers = [[0.0_f32; 32], [f32::INFINITY; 32]].concat();
    ranges.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    fs::write(at("ranges.npy"), ranges).unwrap();
    let run = embed(&at("in.parquet"), &at("out/")).args(["--precision", "int8", "--ranges"]);
    let run = run.arg(at("ranges.npy")).args(["--text-column", "body"]);
    run.fails(1, &["has the range 0 to inf for dimension 0"]);
    assert!(!at("out").exists());
}
