//! `qwen3 eval` with data that are wrong, and runs that are ended.

#[cfg(unix)]
use crate::command::finish;
use crate::command::qwen3;
use crate::eval_bench::Bench;
#[cfg(unix)]
use crate::streams::signal;
use serde_json::json;
use std::fs;
use std::path::Path;
#[cfg(unix)]
use std::time::{Duration, Instant};

#[test]
fn data_that_is_wrong_is_told_before_a_model_is_loaded() {
    let bench = Bench::new();
    let check = |data: &Path, words: &[&str]| {
        let run = qwen3(["eval", "--model", "no/model"]).arg(data);
        run.fails(1, words);
    };
    let data = bench.retrieval();
    let qrels = data.join("qrels/test.tsv");
    fs::write(&qrels, "q1\td99\t1\n").unwrap();
    check(&data, &["`d99`", "corpus.jsonl", "remove the row"]);
    fs::write(&qrels, "q99\td1\t1\n").unwrap();
    check(&data, &["`q99`", "queries.jsonl"]);
    fs::write(&qrels, "query-id\tcorpus-id\tscore\n").unwrap();
    check(&data, &["test.tsv", "has no row"]);
    fs::write(&qrels, "q1\td1\t1\nq1\td1\t0\n").unwrap();
    check(&data, &["`d1` again"]);
    fs::write(&qrels, "q1\td1\t1\n").unwrap();
    bench.lines(
        "facts/corpus.jsonl",
        [json!({"_id": "d1", "text": "a"}), json!({"_id": "d1", "text": "b"})],
    );
    check(&data, &["line 2", "`d1` again"]);
    bench.lines("facts/corpus.jsonl", [json!({"_id": "d1", "title": "a"})]);
    check(&data, &["line 1", "no text in the column `text`"]);
    bench.lines("facts/corpus.jsonl", []);
    check(&data, &["corpus.jsonl", "has no row"]);
    check(&bench.lines("rows.jsonl", [json!({"a": 1})]), &["can't tell", "--task", "--column"]);
    check(&bench.at("nothing"), &["can't read", "nothing"]);
}

#[test]
fn a_run_with_nan_or_unknown_queries_is_told() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let check = |run: &str, words: &[&str]| {
        fs::write(bench.at("bad.trec"), run).unwrap();
        qwen3(["eval"]).arg(&data).args(["--from-run"]).arg(bench.at("bad.trec")).fails(1, words);
    };
    check("q1 Q0 d1 1 nan t\n", &["NaN", "`d1`"]);
    check("q1 Q0 d1 1 0.5 t\nq1 Q0 d1 2 0.4 t\n", &["`d1` again"]);
    check("other Q0 d1 1 0.5 t\n", &["no query of the run has a judgement"]);
    check("q1 d1 0.5\n", &["line 1", "query Q0 document rank score tag"]);
    check("", &["has no row"]);
}

#[test]
fn settings_that_do_not_go_together_are_told() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let pairs = bench.pairs();
    bench.eval(&pairs, &["--reranker", "x"]).fails(1, &["--reranker", "queries and documents"]);
    bench.eval(&data, &["--dimensions", "33"]).fails(1, &["33", "32"]);
    let two = bench.eval(&data, &["--dimensions", "32,8", "--run-file"]).arg(bench.at("run"));
    two.fails(1, &["--run-file", "--output FOLDER"]);
    bench.eval(&data, &["--task", "sorting"]).fails(2, &["sorting", "retrieval, reranking"]);
    bench.eval(&data, &["--column", "text"]).fails(2, &["NAME=COLUMN"]);
    bench.eval(&data, &["--score", "goodness"]).fails(1, &["goodness"]);
    bench.eval(&data, &["--no-cache"]).fails(2, &["--cache", "--no-cache"]);
    let empty = bench.lines("none.txt", []);
    bench.eval(&data, &["--instruction-file"]).arg(&empty).fails(1, &["no instruction"]);
    assert!(!bench.at("run").exists());
}

#[cfg(unix)]
#[test]
fn a_killed_run_goes_on_from_what_it_had() {
    let bench = Bench::new();
    let data = bench.lines(
        "many.jsonl",
        (0..3_000).map(|at| json!({"text": format!("text {at}"), "label": at % 3})),
    );
    let started = Instant::now();
    let expected = bench.results(&data, &[]);
    let time = started.elapsed();
    fs::remove_dir_all(bench.at("vectors")).unwrap();
    let mut before = 0;
    for part in 1..4 {
        let mut child = bench.eval(&data, &[]).start();
        drop(child.stdin.take());
        std::thread::sleep((time * part / 5).max(Duration::from_millis(50)));
        drop(child.kill());
        finish(child, "killed");
        let bytes = bench.kept().iter().map(|(_, bytes)| bytes).sum::<u64>();
        assert!(bytes >= before, "{bytes} after {before}");
        before = bytes;
    }
    assert_eq!(bench.results(&data, &[])[0]["scores"], expected[0]["scores"]);
}

#[cfg(unix)]
#[test]
fn a_run_that_is_stopped_says_how_it_goes_on() {
    let bench = Bench::new();
    let rows = (0..40_000).map(|at| json!({"text": format!("text {at}"), "label": at % 3}));
    let data = bench.lines("many.jsonl", rows);
    let child = bench.eval(&data, &[]).start();
    while bench.kept().iter().map(|(_, bytes)| bytes).sum::<u64>() < 10_000 {
        std::thread::sleep(Duration::from_millis(2));
    }
    signal(&child, "-INT");
    let outcome = finish(child, "stopped");
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    assert!(outcome.stderr.contains("the same command goes on"), "{outcome:?}");
}
