//! What comes out of a table is what went in: numbers, types, lines that are wrong.

use crate::table_files::{batch, embed, parts, rows, vectors, write};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Metadata, Schema};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Runs it on lines, and gives what is in the output.
fn of_lines(folder: &Path, name: &str, lines: &str) -> RecordBatch {
    let (input, output) = (folder.join(name), folder.join("out.parquet"));
    fs::write(&input, lines).unwrap();
    embed(&input, &output).args(["--text-column", "text", "--force"]).succeeds();
    rows(&output)
}

#[track_caller]
fn refused(folder: &Path, name: &str, lines: impl AsRef<[u8]>, words: &[&str]) {
    let input = folder.join(name);
    fs::write(&input, lines).unwrap();
    let run = embed(&input, &folder.join("wrong.parquet"));
    // Rows before a line that is wrong may have been computed.
    run.args(["--text-column", "text", "--force"]).fails(1, words);
}

#[test]
fn whole_numbers_of_json_stay_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let rows = of_lines(
        folder.path(),
        "in.jsonl",
        "{\"id\": 18446744073709551615, \"text\": \"a\"}\n{\"id\": 1, \"text\": \"b\"}\n",
    );
    let ids = rows.column_by_name("id").unwrap().as_primitive::<UInt64Type>();
    assert_eq!(ids.values().to_vec(), [u64::MAX, 1]);
    let wrong = "{\"text\": \"a\"}\n{\"id\": 18446744073709551616, \"text\": \"a\"}\n";
    let words = ["column `id`", "18446744073709551616 in line 2", "as strings", "--columns"];
    refused(folder.path(), "in.jsonl", wrong, &words);
    // Who doesn't want the column isn't bothered by it.
    let run = embed(&folder.path().join("in.jsonl"), &folder.path().join("ids.parquet"));
    run.args(["--text-column", "text", "--columns", "text"]).succeeds();
}

#[test]
fn numbers_of_several_files_stay_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let files = [("a.jsonl", "9007199254740993"), ("b.jsonl", "0.5")];
    for (name, id) in files {
        fs::write(at(name), format!("{{\"id\": {id}, \"text\": \"a\"}}\n")).unwrap();
    }
    let run = || embed(&at("a.jsonl"), &at("out/")).args(["--input"]).arg(at("b.jsonl"));
    run().fails(1, &["column `id`", "9007199254740993", "Float64"]);
    fs::write(at("b.jsonl"), "{\"id\": 18446744073709551615, \"text\": \"a\"}\n").unwrap();
    run().succeeds();
    let part = rows(&at("out/part-00001-00000.parquet"));
    let ids = part.column_by_name("id").unwrap().as_primitive::<UInt64Type>();
    assert_eq!(ids.value(0), u64::MAX);
}

#[test]
fn a_line_that_is_wrong_is_told_with_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let row = "{\"text\": \"a\"}\n";
    let lines = |line: &str| format!("{row}\n{}{line}\n{row}", row.repeat(700));
    for (line, words) in [
        ("{\"text\": \"a\"", "is no JSON object"),
        ("[1]", "is no JSON object"),
        ("{\"text\": \"\\ud800\"}", "is no JSON object"),
    ] {
        refused(folder.path(), "in.jsonl", lines(line), &["line 703 of", "in.jsonl`", words]);
    }
    let mixed = lines("{\"text\": [\"a\"]}");
    refused(folder.path(), "in.jsonl", mixed, &["column `text`", "a list in line 703"]);
    let bytes = [lines("").as_bytes(), b"{\"text\": \"\xff\"}\n"].concat();
    refused(folder.path(), "in.jsonl", bytes, &["line 705 of", "UTF-8"]);
    let csv = |line: &str| format!("id,text\n1,\"two\nlines\"\n{}{line}\n", "2,b\n".repeat(600));
    refused(folder.path(), "in.csv", csv("3"), &["line 604 of", "1 values"]);
    refused(folder.path(), "in.csv", csv("3,c,"), &["line 604 of", "3 values"]);
}

#[test]
fn objects_may_lack_a_column_that_others_have() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("in")).unwrap();
    fs::write(at("in/0.jsonl"), "").unwrap();
    fs::write(at("in/1.jsonl"), "{\"text\": \"a\"}\n").unwrap();
    fs::write(at("in/2.jsonl"), "{\"text\": \"b\", \"title\": \"t\"}\n").unwrap();
    let run = || embed(&at("in"), &at("out/")).args(["--columns", "title"]);
    run().succeeds();
    assert_eq!(parts(&at("out")).len(), 3);
    assert!(rows(&at("out/part-00001-00000.parquet")).column(0).is_null(0));
    let title = rows(&at("out/part-00002-00000.parquet"));
    assert_eq!(title.column(0).as_string::<i32>().value(0), "t");
    fs::write(at("in/2.jsonl"), "{\"text\": \"b\"}\n").unwrap();
    run().args(["--force"]).fails(1, &["no column `title`"]);
}

#[test]
fn tables_without_rows_give_a_part_that_tells_the_columns() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..0)]);
    fs::write(at("in.csv"), "id,body\n").unwrap();
    for (input, columns) in [("in.parquet", 4), ("in.csv", 3)] {
        let output = format!("{input}.out/");
        embed(&at(input), &at(&output)).args(["--text-column", "body"]).succeeds();
        let parts = parts(&at(&output));
        assert_eq!(parts.len(), 1, "{input}");
        let part = at(&output).join(parts.keys().next().unwrap());
        let file =
            qwen3_tables::InputFile { path: part, format: qwen3_tables::TableFormat::Parquet };
        let table = qwen3_tables::Table::open(&file).unwrap();
        assert_eq!(table.schema().fields().len(), columns, "{input}");
        assert_eq!(table.row_groups().unwrap().iter().sum::<u64>(), 0);
        embed(&at(input), &at(&output)).args(["--text-column", "body"]).succeeds();
    }
    // Of several machines the first one leaves it.
    for shard in ["1/2", "0/2"] {
        let run = embed(&at("in.parquet"), &at("shards/")).args(["--text-column", "body"]);
        run.args(["--shard", shard]).succeeds();
        assert_eq!(parts(&at("shards")).len(), usize::from(shard == "0/2"));
    }
}

#[test]
fn metadata_of_columns_and_of_pandas_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let metadata = Metadata::from([("unit", "words")]);
    let field = Field::new("text", DataType::Utf8, false).with_metadata(metadata.clone());
    let of_file = [("pandas", "{}"), ("org.apache.spark.sql.parquet.row.metadata", "{}")];
    let schema = Schema::new(vec![field]).with_metadata(Metadata::from(of_file));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["one", "two"]));
    write(&at("in.parquet"), &[RecordBatch::try_new(Arc::new(schema), vec![texts]).unwrap()]);
    for output in ["out.parquet", "out.arrow"] {
        embed(&at("in.parquet"), &at(output)).succeeds();
        let found = rows(&at(output));
        assert_eq!(vectors(&found).len(), 2);
        assert_eq!(found.schema().field(0).metadata(), &metadata, "{output}");
        let keys: Vec<String> = found.schema().metadata().keys().cloned().collect();
        assert_eq!(keys, ["pandas", "qwen3", "qwen3_run"], "{output}");
    }
}
