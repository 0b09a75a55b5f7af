//! Tables for tests, and what is in tables.

use crate::command::{Qwen3, on_cpu};
use crate::fixtures::embedding_model;
use crate::vectors::of_objects;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use qwen3_tables::{InputFile, OutputFormat, Table, TableFormat, TableWriter};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub fn text(number: i64) -> String {
    format!("text {number} of the table")
}

/// Rows with a number, a text, and a title that repeats.
pub fn batch(numbers: std::ops::Range<i64>) -> RecordBatch {
    let texts = StringArray::from_iter_values(numbers.clone().map(text));
    let titles = StringArray::from_iter_values(
        numbers.clone().map(|number| format!("title {}", number % 3)),
    );
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from_iter_values(numbers))),
        ("body", Arc::new(texts)),
        ("title", Arc::new(titles)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

pub fn write(path: &Path, batches: &[RecordBatch]) {
    let format = OutputFormat::of(path).unwrap();
    let file = File::create(path).unwrap();
    let mut writer = TableWriter::new(file, path, format, &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
}

/// All rows of a file.
pub fn rows(path: &Path) -> RecordBatch {
    let file = InputFile { path: path.to_owned(), format: TableFormat::of(path).unwrap() };
    let table = Table::open(&file).unwrap();
    let schema = Arc::clone(table.schema());
    let mut batches = table.batches(None, &schema).unwrap();
    let first = batches.next().unwrap().unwrap();
    assert!(batches.next().is_none(), "tests are small");
    first
}

pub fn vectors(batch: &RecordBatch) -> Vec<Vec<f32>> {
    let column = batch.column_by_name("embedding").unwrap().as_fixed_size_list();
    let vector = |at: usize| column.value(at).as_primitive::<Float32Type>().values().to_vec();
    (0..column.len()).map(vector).collect()
}

pub fn numbers(batch: &RecordBatch, column: &str) -> Vec<i64> {
    batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

pub fn embed(input: &Path, output: &Path) -> Qwen3 {
    on_cpu("embed", &embedding_model(), ["--input"]).arg(input).args(["--output"]).arg(output)
}

/// The vector of a JSON object.
pub fn of_line(line: &str) -> Vec<f32> {
    let object: Value = serde_json::from_str(line).unwrap();
    let numbers = object["embedding"].as_array().unwrap().iter();
    numbers.map(|number| number.as_f64().unwrap() as f32).collect()
}

/// What `embed` makes of these texts as arguments.
pub fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Vec<f32>> {
    let outcome = on_cpu("embed", &embedding_model(), texts).args(["--format", "jsonl"]).succeeds();
    of_objects(&outcome.jsonl())
}

/// Names and bytes of the parts in a folder.
pub fn parts(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files.map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap())).collect()
}
