//! `qwen3 eval` with data of the hub.

use crate::command::{Qwen3, on_cpu, qwen3};
use crate::eval_bench::{Bench, number};
use crate::fixtures::embedding_model;
use crate::hub_server::{COMMIT, DATA_SET, Flaw, Hub};
use crate::table_files::write;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::sync::Arc;

/// An evaluation of a data set by its name.
fn eval(bench: &Bench, data: &str) -> Qwen3 {
    let run = on_cpu("eval", &embedding_model(), ["--cache"]).arg(bench.at("vectors"));
    run.arg(data).env("HF_HOME", bench.at("home"))
}

fn from_hub(bench: &Bench, hub: &Hub, data: &str) -> Qwen3 {
    eval(bench, data).env("HF_ENDPOINT", hub.endpoint())
}

#[test]
fn a_data_set_of_the_hub_has_the_scores_of_its_folder() {
    let bench = Bench::new();
    let folder = bench.retrieval();
    fs::write(folder.join("README.md"), "---\nlanguage: en\n---\n").unwrap();
    fs::write(folder.join("corpus.jsonl.zst"), "packed").unwrap();
    let hub = Hub::serve_data(&folder, Flaw::None);
    let out = bench.at("out");
    let found = from_hub(&bench, &hub, DATA_SET).arg("--output").arg(&out).succeeds().json();
    assert_eq!(hub.files(), ["corpus.jsonl", "qrels/test.tsv", "queries.jsonl"]);
    let expected = bench.eval(&folder, &[]).succeeds().json();
    assert_eq!(found[0]["results"][0]["scores"], expected[0]["results"][0]["scores"]);
    assert_eq!(json!([found[0]["data"], found[0]["data_revision"]]), json!(["facts", COMMIT]));
    assert!(expected[0]["data_revision"].is_null());
    let snapshot = bench.at("home/hub/datasets--test--facts/snapshots").join(COMMIT);
    assert!(snapshot.join("qrels/test.tsv").is_file());
    let results = crate::eval::files(&out, "json");
    let result = results.iter().find(|path| path.ends_with("facts.json")).unwrap();
    let result: Value = serde_json::from_slice(&fs::read(result).unwrap()).unwrap();
    assert_eq!(result["dataset_revision"], COMMIT);

    // The hub is asked again, and nothing is downloaded twice.
    let delivered =
        |hub: &Hub| hub.requests().iter().filter(|of| of.path.contains("/resolve/")).count();
    let before = delivered(&hub);
    from_hub(&bench, &hub, DATA_SET).args(["--data-revision", "v1.0"]).succeeds();
    assert_eq!(delivered(&hub), before);
}

#[test]
fn data_in_the_cache_are_taken_where_the_hub_can_not_be_asked() {
    let bench = Bench::new();
    let hub = Hub::serve_data(&bench.retrieval(), Flaw::None);
    let words = ["no file or folder `test/facts`", "HF_HUB_OFFLINE"];
    eval(&bench, DATA_SET).env("HF_HUB_OFFLINE", "1").fails(1, &words);
    eval(&bench, DATA_SET).fails(1, &["no file or folder `test/facts`", "can't download"]);
    from_hub(&bench, &hub, DATA_SET).succeeds();
    eval(&bench, DATA_SET).env("HF_HUB_OFFLINE", "1").succeeds();
    let outcome = eval(&bench, DATA_SET).succeeds();
    assert!(outcome.stderr.contains("taken as it is in the cache"), "{outcome:?}");
}

#[test]
fn a_folder_of_a_data_set_is_data_too_and_may_be_compressed() {
    let bench = Bench::new();
    let row = |at: i32| json!({"sentence1": format!("text {at}"), "sentence2": "a", "score": at});
    for language in ["en", "de"] {
        bench.lines(&format!("pairs/{language}/test.jsonl"), (0..4).map(row));
    }
    let path = bench.at("pairs/en/test.jsonl");
    let mut encoder = GzEncoder::new(vec![], Compression::default());
    encoder.write_all(&fs::read(&path).unwrap()).unwrap();
    fs::write(path.with_extension("jsonl.gz"), encoder.finish().unwrap()).unwrap();
    fs::remove_file(path).unwrap();
    let hub = Hub::serve_data(&bench.at("pairs"), Flaw::None);
    let value = from_hub(&bench, &hub, "test/facts/en").succeeds().json();
    assert_eq!(json!([value[0]["data"], value[0]["task"]]), json!(["facts-en", "sts"]));
    assert!(number(&value[0]["results"][0]["score"]).is_finite());
    assert_eq!(hub.files(), ["en/test.jsonl.gz"]);
    from_hub(&bench, &hub, "test/facts/fr").fails(1, &["`test/facts/fr`", "no file that is read"]);
}

#[test]
fn a_data_set_in_parquet_is_read_too() {
    let bench = Bench::new();
    let rows =
        (0..4).map(|at| json!({"sentence1": format!("text {at}"), "sentence2": "a", "score": at}));
    bench.lines("lines/test.jsonl", rows);
    let texts =
        |of: &dyn Fn(i64) -> String| Arc::new(StringArray::from_iter_values((0..4).map(of)));
    let columns: [(&str, ArrayRef); 3] = [
        ("sentence1", texts(&|at| format!("text {at}"))),
        ("sentence2", texts(&|_| "a".to_owned())),
        ("score", Arc::new(Int64Array::from_iter_values(0..4))),
    ];
    fs::create_dir_all(bench.at("other/data")).unwrap();
    let path = bench.at("other/data/test-00000-of-00001.parquet");
    write(&path, &[RecordBatch::try_from_iter(columns).unwrap()]);
    let hub = Hub::serve_data(&bench.at("other"), Flaw::None);
    let found = from_hub(&bench, &hub, DATA_SET).succeeds().json();
    let expected = bench.eval(&bench.at("lines"), &[]).succeeds().json();
    assert_eq!(found[0]["results"][0]["scores"], expected[0]["results"][0]["scores"]);
}

#[test]
fn data_that_the_hub_has_in_other_forms_are_told() {
    let bench = Bench::new();
    let folder = bench.at("other");
    fs::create_dir_all(folder.join("data")).unwrap();
    for part in 0..9 {
        fs::write(folder.join(format!("data/test-0000{part}.jsonl.zst")), "packed").unwrap();
    }
    let hub = Hub::serve_data(&folder, Flaw::None);
    let words = ["`test/facts` has no file that is read here", "test-00000.jsonl.zst", ", …;"];
    let outcome = from_hub(&bench, &hub, DATA_SET).fails(1, &words);
    assert!(!outcome.stderr.contains("test-00008"), "{outcome:?}");
    let facts = bench.retrieval();
    let run = qwen3(["eval", "--model", "no/model", "--data-revision", "v1"]).arg(&facts);
    run.fails(1, &["`--data-revision` has no effect"]);
}
