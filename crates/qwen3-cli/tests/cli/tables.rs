//! `qwen3 embed` and `qwen3 rerank` on tables: the same numbers as on lines.

use crate::command::on_cpu;
use crate::fixtures::reranker;
use crate::table_files::{
    batch, embed, numbers, of_line, of_texts, parts, rows, text, vectors, write,
};
use crate::vectors::of_npy;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt8Type};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Arc;

#[test]
fn every_format_of_input_and_output_has_the_vectors_of_the_texts() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..3), batch(3..5)]);
    write(&at("in.arrow"), &[batch(0..3), batch(3..5)]);
    write(&at("in.jsonl"), &[batch(0..5)]);
    let cells = |number: i64| format!("{number},\"{}\",title {}\n", text(number), number % 3);
    fs::write(
        at("in.csv"),
        format!("\u{feff}id,body,title\n{}", (0..5).map(cells).collect::<String>()),
    )
    .unwrap();
    let texts: Vec<String> = (0..5).map(text).collect();
    let expected = of_texts(texts.iter().map(String::as_str));
    for input in ["in.parquet", "in.arrow", "in.jsonl", "in.csv"] {
        for output in ["out.parquet", "out.arrow", "out.jsonl", "out.npy"] {
            let run = embed(&at(input), &at(output)).args(["--text-column", "body"]).succeeds();
            assert_eq!(run.json()["rows"], 5, "{run:?}");
            let found = match output {
                "out.npy" => of_npy(&fs::read(at(output)).unwrap()),
                "out.jsonl" => {
                    let lines = fs::read_to_string(at(output)).unwrap();
                    lines.lines().map(of_line).collect()
                }
                _ => vectors(&rows(&at(output))),
            };
            assert_eq!(found, expected, "{input} {output}");
            fs::remove_file(at(output)).unwrap();
        }
    }
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 4 + 2, "nothing of a run is left but what says how jsonl and npy were made");
}

#[test]
fn lines_of_text_become_a_table_too() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("texts.txt"), folder.path().join("out.parquet"));
    fs::write(&input, "one\n\ntwo\n").unwrap();
    embed(&input, &output).succeeds();
    let rows = rows(&output);
    assert_eq!(
        rows.column_by_name("text").unwrap().as_string::<i32>(),
        &StringArray::from(vec!["one", "", "two"])
    );
    assert_eq!(vectors(&rows), of_texts(["one", "", "two"]));
}

#[test]
fn lines_of_json_are_a_table_unless_a_field_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.jsonl"), folder.path().join("out.jsonl"));
    fs::write(&input, "{\"text\": \"one\", \"v\": 1}\n{\"text\": \"two\", \"v\": 2}\n").unwrap();
    let first = || of_line(fs::read_to_string(&output).unwrap().lines().next().unwrap());
    embed(&input, &output).succeeds();
    assert_eq!(first(), of_texts(["one"])[0]);
    assert!(fs::read_to_string(&output).unwrap().contains("\"v\":2"));
    embed(&input, &output).args(["--field", "text"]).succeeds();
    assert_eq!(first(), of_texts(["one"])[0]);
    assert!(!fs::read_to_string(&output).unwrap().contains("\"v\""));
}

#[test]
fn columns_are_kept_as_asked_and_the_output_says_how_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..5)]);
    let names = |arguments: &[&str]| {
        let run = embed(&at("in.parquet"), &at("out.parquet"));
        let run = run.args(["--text-column", "body", "--force"]);
        run.args(arguments.iter().copied()).succeeds();
        let schema = rows(&at("out.parquet")).schema();
        let facts: Value = serde_json::from_str(&schema.metadata()["qwen3"]).unwrap();
        assert_eq!((&facts["dimensions"], &facts["normalized"]), (&32.into(), &true.into()));
        schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["id", "body", "title", "embedding"]);
    assert_eq!(names(&["--id-column", "id"]), ["id", "embedding"]);
    assert_eq!(names(&["--columns", "title,id"]), ["title", "id", "embedding"]);
    assert_eq!(
        names(&["--id-column", "id", "--columns", "id,title"]),
        ["id", "title", "embedding"]
    );
    assert_eq!(names(&["--id-column", "id", "--vector-column", "v"]), ["id", "v"]);
}

#[test]
fn a_column_that_is_not_kept_may_be_called_as_the_results_are() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.csv"), folder.path().join("out.parquet"));
    fs::write(&input, "id,embedding\n7,one\n").unwrap();
    let run = || embed(&input, &output).args(["--text-column", "embedding"]);
    run().args(["--columns", "id"]).succeeds();
    assert_eq!(vectors(&rows(&output)), of_texts(["one"]));
    run().fails(1, &["`embedding` would be there twice", "--vector-column"]);
}

#[test]
fn a_template_makes_one_text_of_several_columns_and_equal_ones_are_computed_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..7)]);
    let run = embed(&at("in.parquet"), &at("out.parquet"))
        .args(["--text-template", r"{title}\n!"])
        .succeeds();
    let summary = run.json();
    assert_eq!((&summary["texts"], &summary["duplicates"]), (&3.into(), &4.into()), "{run:?}");
    let texts: Vec<String> = (0..7).map(|number| format!("title {}\n!", number % 3)).collect();
    assert_eq!(vectors(&rows(&at("out.parquet"))), of_texts(texts.iter().map(String::as_str)));
}

#[test]
fn rows_without_a_text_have_a_rule() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let columns: [(&str, ArrayRef); 2] = [
        ("id", Arc::new(Int64Array::from(vec![7, 8, 9]))),
        ("text", Arc::new(StringArray::from(vec![Some("one"), None, Some("two")]))),
    ];
    write(&at("in.parquet"), &[RecordBatch::try_from_iter(columns).unwrap()]);
    let run = |rule: &str| embed(&at("in.parquet"), &at("out.parquet")).args(["--on-null", rule]);
    run("error").fails(1, &["row 2 of", "in.parquet", "--on-null skip"]);
    assert!(!at("out.parquet").exists());
    // What was finished under the rule `error` is right under any, so the same run goes on.
    let outcome = run("skip").succeeds();
    assert_eq!(outcome.json()["skipped"], 1);
    let skipped = rows(&at("out.parquet"));
    assert_eq!(
        (numbers(&skipped, "id"), vectors(&skipped)),
        (vec![7, 9], of_texts(["one", "two"]))
    );
    run("empty").args(["--force"]).succeeds();
    assert_eq!(vectors(&rows(&at("out.parquet"))), of_texts(["one", "", "two"]));
}

#[test]
fn shards_make_the_parts_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("in")).unwrap();
    for file in 0..5 {
        write(&at("in").join(format!("{file}.parquet")), &[batch(10 * file..10 * file + 10)]);
    }
    let run = |output: &str| embed(&at("in"), &at(output)).args(["--text-column", "body"]);
    run("one/").succeeds();
    assert_eq!(parts(&at("one")).len(), 5);
    for shard in ["0/2", "1/2"] {
        run("several/").args(["--shard", shard]).succeeds();
    }
    assert_eq!(parts(&at("several")), parts(&at("one")));
}

/// Vectors of 200 rows, more than are computed at first, in bytes or bits, in a folder that is begun anew.
fn in_bytes(folder: &Path, precision: &str) -> Vec<Vec<u8>> {
    let run = embed(&folder.join("in.parquet"), &folder.join("out/"));
    let run = run.args(["--text-column", "body", "--force", "--precision", precision]);
    run.succeeds();
    let rows = rows(&folder.join("out/part-00000-00000.parquet"));
    let column = rows.column_by_name("embedding").unwrap().as_fixed_size_list();
    let vector = |at| column.value(at).as_primitive::<UInt8Type>().values().to_vec();
    (0..200).map(vector).collect()
}

#[test]
fn vectors_in_fewer_bits_are_what_their_numbers_say() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("in.parquet"), &[batch(0..200)]);
    let texts: Vec<String> = (0..200).map(text).collect();
    let exact = of_texts(texts.iter().map(String::as_str));
    let (bits, steps) = (in_bytes(folder.path(), "ubinary"), in_bytes(folder.path(), "uint8"));
    for at in 0..32 {
        let numbers = exact.iter().map(|vector| vector[at]);
        let ends = |(least, most): (f32, f32), it: f32| (least.min(it), most.max(it));
        let (least, most) = numbers.fold((f32::MAX, f32::MIN), ends);
        for row in 0..200 {
            let number = exact[row][at];
            assert_eq!(bits[row][at / 8] >> (7 - at % 8) & 1 == 1, number > 0.0);
            let back = least + f32::from(steps[row][at]) * (most - least) / 255.0;
            // A step is cut, not rounded; the sum above is rounded.
            assert!((-1e-6..=(most - least) / 254.0).contains(&(number - back)), "{row} {at}");
        }
    }
}

#[test]
fn ranges_of_one_run_can_be_given_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("in.parquet"), &[batch(0..200)]);
    in_bytes(folder.path(), "uint8");
    let run = |output: &str| {
        let run = embed(&at("in.parquet"), &at(output));
        run.args(["--text-column", "body", "--precision", "uint8"])
    };
    let given = run("given/").args(["--shard", "0/1", "--ranges"]);
    given.arg(at("out/_qwen3/ranges.npy")).succeeds();
    assert_eq!(parts(&at("given")), parts(&at("out")));
    run("file.parquet").succeeds();
    let read = |name: &str| fs::read(at(name)).unwrap();
    assert_eq!(read("file.parquet.ranges.npy"), read("out/_qwen3/ranges.npy"));
    run("several/").args(["--shard", "0/2"]).fails(1, &["--ranges"]);
}

#[test]
fn pairs_of_a_table_get_the_scores_of_rerank() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.parquet"), folder.path().join("out.parquet"));
    write(&input, &[batch(0..4)]);
    let run = |arguments: &[&str]| {
        let run = on_cpu("rerank", &reranker(), arguments.iter().copied());
        run.args(["--document-column", "body", "--log-odds", "--input"])
            .arg(&input)
            .args(["--output"])
            .arg(&output)
    };
    run(&["--query", "text 2"]).succeeds();
    let found = rows(&output);
    let column = |name: &str| {
        found.column_by_name(name).unwrap().as_primitive::<Float32Type>().values().to_vec()
    };
    let texts: Vec<String> = (0..4).map(text).collect();
    let lines = on_cpu("rerank", &reranker(), texts.iter().map(String::as_str));
    let lines =
        lines.args(["--query", "text 2", "--log-odds", "--format", "jsonl"]).succeeds().jsonl();
    for line in lines {
        let row = line["index"].as_u64().unwrap() as usize;
        let close =
            |name: &str| (f64::from(column(name)[row]) - line[name].as_f64().unwrap()).abs();
        assert!(close("score") < 1e-6 && close("log_odds") < 1e-6, "{line}");
    }
    run(&["--query-column", "title", "--force"]).succeeds();
    run(&["--query", "a", "--format", "arrow", "--force"]).succeeds();
    assert!(fs::read(&output).unwrap().starts_with(b"ARROW1"));
    run(&["--query", "a", "--top-n", "2"]).fails(1, &["--top-n"]);
}
