//! `qwen3 eval`: what is told before a model is loaded, and what results say of their making.

use crate::command::{Qwen3, qwen3};
use crate::eval_bench::{Bench, TEXTS, number};
use crate::fixtures::{embedding_model, reranker};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// An evaluation with a model that isn't there, and that nobody must have looked for.
#[track_caller]
fn refused(data: &[&Path], arguments: &[&str], words: &[&str]) {
    let run = qwen3(["eval", "--model", "no/model"]).args(arguments.iter().copied());
    let outcome = data.iter().fold(run, |run, data| run.arg(data)).fails(1, words);
    assert!(!outcome.stderr.contains("no/model"), "{outcome:?}");
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn flags_that_do_not_go_with_the_data_are_told_first() {
    let bench = Bench::new();
    let (facts, pairs) = (bench.retrieval(), bench.pairs());
    let out = shown(&bench.at("out.jsonl"));
    let for_rankings = "is for data with queries and documents";
    refused(&[&facts], &["--score", "goodness"], &["no score `goodness`", "ndcg_at_10"]);
    refused(
        &[&facts],
        &["--task", "clustering"],
        &["clustering, which needs rows", "it has corpus"],
    );
    refused(&[&pairs], &["--column", "text=a"], &["no column `a`", "sentence1, sentence2"]);
    refused(&[&facts], &["--column", "text=a"], &["`--column` has no effect"]);
    refused(&[&pairs], &["--run-file", &out], &["`--run-file`", for_rankings]);
    refused(&[&pairs], &["--reranker", "no/other"], &["`--reranker`", for_rankings]);
    refused(&[&pairs], &["--per-query", &out], &["`--per-query`", "cosine_spearman", "one number"]);
    let no_effect = ["`--ignore-identical-ids` has no effect"];
    refused(&[&pairs], &["--ignore-identical-ids"], &no_effect);
    refused(&[&facts], &["--ignore-identical-ids"], &no_effect);
    assert!(!bench.at("out.jsonl").exists());
    bench.eval(&facts, &["--top", "3"]).fails(2, &["--reranker"]);
    bench.eval(&facts, &["--top", "0", "--reranker", "x"]).fails(2, &["--top"]);
}

#[test]
fn what_is_asked_for_twice_is_told() {
    let bench = Bench::new();
    let facts = bench.retrieval();
    refused(&[&facts], &["--dimensions", "16,8,16"], &["`--dimensions` has `16` twice"]);
    refused(&[&facts], &["--dtype", "bf16,bf16"], &["`--dtype` has `bf16` twice"]);
    refused(&[&facts], &["--instruction", "a", "--instruction", "a"], &["has `a` twice"]);
    refused(&[&facts, &facts.join("../facts")], &[], &["`DATA` has", "twice"]);
    let run = bench.run("a.trec", &[1]);
    let again = bench.at("facts/../a.trec");
    let twice = qwen3(["eval", "--from-run"]).arg(&run).arg("--from-run").arg(again).arg(&facts);
    twice.fails(1, &["`--from-run` has", "a.trec` twice"]);
    let auto = bench.eval(&facts, &["--dtype", "auto,bf16"]).succeeds().json();
    assert_eq!(auto[0]["results"].as_array().unwrap().len(), 1);
}

#[test]
fn results_that_can_not_be_written_are_told_first() {
    let bench = Bench::new();
    let facts = bench.retrieval();
    let below_a_file = shown(&facts.join("corpus.jsonl/out"));
    for flag in ["--output", "--run-file", "--per-query", "--plot"] {
        refused(&[&facts], &[flag, &below_a_file], &["can't write", "corpus.jsonl/out"]);
    }
    let missing = shown(&bench.at("missing/out"));
    for flag in ["--run-file", "--per-query", "--plot"] {
        let run = qwen3(["eval", flag, &missing]).arg(&facts);
        let outcome = run.fails(1, &["can't write", "missing/out`: No such file"]);
        assert!(!outcome.stderr.contains(".part"), "{outcome:?}");
    }
    let queries = shown(&facts.join("queries.jsonl"));
    refused(&[&facts], &["--per-query", &queries], &["queries.jsonl` is read by this run"]);
    let out = shown(&bench.at("out"));
    let same = ["--per-query", &out, "--plot", &out];
    refused(&[&facts], &same, &["has", "out` twice"]);
    let other = bench.at("elsewhere/facts");
    fs::create_dir_all(other.join("qrels")).unwrap();
    for name in ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"] {
        fs::copy(facts.join(name), other.join(name)).unwrap();
    }
    let words = ["would be the same file `facts`", "elsewhere/facts", "rename one"];
    refused(&[&facts, &other], &["--output", &out], &words);
    let run = |name: &str| bench.run(name, &[1]);
    let two = qwen3(["eval", "--output", &out, "--from-run"]).arg(run("x/a.trec"));
    two.arg("--from-run").arg(run("y/a.trec")).arg(&facts).fails(1, &["x/a.trec", "y/a.trec"]);
    let plot = qwen3(["eval", "--plot", &out, "--from-run"]).arg(run("a.trec")).arg(&facts);
    plot.fails(1, &["`--plot`", "a run file doesn't have"]);
    bench.lines("facts/corpus.jsonl", TEXTS.iter().zip(0..).map(|(text, at)| {
        json!({"_id": if at == 7 { "d 7".to_owned() } else { format!("d{at}") }, "text": text})
    }));
    fs::write(facts.join("qrels/test.tsv"), "q1\td1\t1\n").unwrap();
    refused(&[&facts], &["--output", &out], &["`d 7`", "white space"]);
    assert!(!bench.at("out").exists());
}

#[test]
fn all_models_are_opened_before_the_first_computes() {
    let bench = Bench::new();
    let facts = bench.retrieval();
    let missing = bench.eval(&facts, &["--model", "no/model"]);
    missing.fails(1, &["no/model"]);
    let other = bench.eval(&facts, &["--reranker"]).arg(embedding_model());
    let other =
        other.fails(1, &["an embedding model, not like a reranker", "qwen3 convert --kind"]);
    assert!(!other.stderr.contains("say what it is with"), "{other:?}");
    let other = qwen3(["eval", "--cache"]).arg(bench.at("vectors")).arg(&facts).arg("--model");
    other.arg(reranker()).fails(1, &["a reranker, not like an embedding model"]);
    bench.eval(&facts, &["--dimensions", "8,33"]).fails(1, &["33", "32"]);
    bench.eval(&facts, &["--max-tokens", "0"]).fails(1, &["--max-tokens"]);
    assert_eq!(bench.kept(), []);
    let file = bench.lines("file", []);
    let no_folder = qwen3(["eval", "--cache"]).arg(&file).arg(&facts).args(["--model", "no/model"]);
    no_folder.fails(1, &["can't keep vectors", "--no-cache"]);
    if cfg!(unix) {
        let run = qwen3(["eval", "--no-cache", "--model", "no/model"]).arg(&facts);
        let outcome = run.env("TMPDIR", bench.at("gone")).fails(1, &["gone`", "set `TMPDIR`"]);
        assert!(!outcome.stderr.contains("at path"), "{outcome:?}");
    }
}

#[test]
fn a_folder_called_new_is_in_nobodys_way() {
    let bench = Bench::new();
    let facts = bench.retrieval();
    for folder in ["vectors", "out/results", "temporary"] {
        fs::create_dir_all(bench.at(folder).join("new")).unwrap();
    }
    bench.eval(&facts, &["--output"]).arg(bench.at("out")).succeeds();
    let run = qwen3(["eval", "--device", "cpu", "--no-cache", "--model"]).arg(embedding_model());
    run.arg(&facts).env("TMPDIR", bench.at("temporary")).succeeds();
}

#[test]
fn splits_of_the_same_data_stand_in_one_result() {
    let bench = Bench::new();
    let facts = bench.retrieval();
    fs::write(facts.join("qrels/dev.tsv"), "q1\td1\t1\n").unwrap();
    let out = shown(&bench.at("out"));
    let run = |split: &str| bench.eval(&facts, &["--split", split, "--output", &out]).succeeds();
    for split in ["test", "dev", "test"] {
        run(split);
    }
    let of = |ending: &str| crate::eval::files(&bench.at("out"), ending);
    let result = of("json").into_iter().find(|path| path.ends_with("facts.json")).unwrap();
    let value: Value = serde_json::from_slice(&fs::read(&result).unwrap()).unwrap();
    let splits: Vec<&String> = value["scores"].as_object().unwrap().keys().collect();
    assert_eq!(splits, ["dev", "test"]);
    let names = |paths: Vec<PathBuf>| -> Vec<String> {
        paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names(of("trec")), ["facts.dev.trec", "facts.test.trec"]);
    fs::write(&result, "no JSON").unwrap();
    let broken = bench.eval(&facts, &["--model", "no/model", "--output", &out]);
    let outcome = broken.fails(1, &["facts.json` has no result", "--output"]);
    assert!(!outcome.stderr.contains("no/model"), "{outcome:?}");
}

fn from_runs(bench: &Bench, data: &Path, runs: &[PathBuf]) -> Qwen3 {
    let runs =
        runs.iter().fold(qwen3(["eval"]).arg(data), |run, path| run.arg("--from-run").arg(path));
    runs.args(["--quiet", "--cache"]).arg(bench.at("vectors"))
}

#[test]
fn queries_that_a_run_lacks_are_told() {
    let bench = Bench::new();
    let facts = bench.retrieval();
    let runs = [bench.run("all.trec", &[0, 1, 2, 3, 4, 5, 6, 7]), bench.run("some.trec", &[2, 5])];
    let value = from_runs(&bench, &facts, &runs).succeeds().json();
    let some = &value[0]["results"][1];
    assert_eq!(some["missing_queries"], 6);
    assert!(some["difference"].is_null() && some["test"].is_null(), "{some}");
    let told = "6 of 8 queries are missing from some.trec";
    assert!(value[0]["notes"][0].as_str().unwrap().starts_with(told), "{value}");
    let parts = bench.at("parts.jsonl");
    let table = from_runs(&bench, &facts, &runs).args(["--format", "table", "--per-query"]);
    let table = table.arg(&parts).succeeds();
    let row = table.text().lines().find(|line| line.starts_with("some.trec")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["some.trec", "1.0000"]);
    assert!(table.text().contains(told), "{table:?}");
    let parts = fs::read_to_string(&parts).unwrap();
    let part = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let scores = parts.lines().map(|line| part(line)["scores"].as_array().unwrap().len());
    assert_eq!(scores.collect::<Vec<_>>(), [1, 1, 2, 1, 1, 2, 1, 1]);
}

#[test]
fn the_parts_of_a_score_have_a_number_or_an_id() {
    let bench = Bench::new();
    let row = |at: usize| {
        let machine = &TEXTS[at..at + 3];
        json!({"human_summaries": [TEXTS[7]], "machine_summaries": machine, "relevance": [1, 2, 3]})
    };
    let data = bench.lines("summaries.jsonl", (0..2).map(row));
    let parts = bench.at("parts.jsonl");
    bench.eval(&data, &["--per-query"]).arg(&parts).succeeds();
    let text = fs::read_to_string(&parts).unwrap();
    let parts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!([parts[0]["row"], parts[1]["row"], parts.len()]), json!(["1", "2", 2]));
}

#[test]
fn what_a_reranker_would_read_is_there() {
    let bench = Bench::new();
    let facts = bench.retrieval();
    let path = bench.at("other.trec");
    fs::write(&path, "q1 Q0 d1 1 2.0 t\nq1 Q0 d99 2 1.0 t\n").unwrap();
    from_runs(&bench, &facts, std::slice::from_ref(&path)).succeeds();
    let run = from_runs(&bench, &facts, &[path]).args(["--reranker", "no/model"]);
    let outcome = run.fails(1, &["other.trec` names `d99`"]);
    assert!(!outcome.stderr.contains("no/model"), "{outcome:?}");
}

#[test]
fn a_reranked_result_says_its_models_and_keeps_queries_without_documents() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let lists =
        (0..6).map(|at| json!({"query-id": format!("q{at}"), "corpus-ids": [format!("d{at}")]}));
    bench.lines("facts/top_ranked.jsonl", lists);
    let run = bench.eval(&data, &["--reranker"]).arg(reranker());
    let value = run.arg("--output").arg(bench.at("out")).succeeds().json();
    let [plain, reranked] = &value[0]["results"].as_array().unwrap()[..] else { panic!("{value}") };
    for result in [plain, reranked] {
        assert!((number(&result["scores"]["map_at_1000"]) - 0.75).abs() < 1e-9, "{result}");
        assert_eq!(result["missing_queries"], 0);
    }
    for name in ["model", "revision", "device", "dtype", "dimensions", "bytes_per_vector"] {
        assert!(!plain[name].is_null() && plain[name] == reranked[name], "{name}: {reranked}");
    }
    assert!(plain["reranker_revision"].is_null() && reranked["reranker_revision"].is_string());
    let note = value[0]["notes"][0].as_str().unwrap();
    assert!(note.starts_with("2 of 8 queries have no candidates in "), "{note}");
    assert!(!bench.at("out").join("results").join("no_revision_available").exists());
}

#[test]
fn a_byte_order_mark_is_no_part_of_an_instruction() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let file = bench.at("tasks.txt");
    fs::write(&file, "\u{feff}Find it\r\n").unwrap();
    let value = bench.eval(&data, &["--instruction-file"]).arg(&file).succeeds().json();
    assert_eq!(value[0]["results"][0]["instruction"], "Find it");
}

#[test]
fn one_of_a_thing_is_told_as_one() {
    let bench = Bench::new();
    let data = bench.retrieval();
    fs::write(data.join("qrels/test.tsv"), "q1\td1\t1\n").unwrap();
    let table = bench.eval(&data, &["--format", "table"]).succeeds();
    assert!(table.text().starts_with("facts: retrieval, 1 query, 8 documents, "), "{table:?}");
    assert!(!table.text().contains("-0.0000"), "{table:?}");
}
