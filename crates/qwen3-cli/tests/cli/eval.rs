//! `qwen3 eval`

use crate::command::{Outcome, Qwen3, on_cpu, qwen3};
use crate::eval_bench::{Bench, TEXTS, number};
use crate::fixtures::{embedding_model, reranker};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn queries_find_the_documents_that_say_the_same() {
    let bench = Bench::new();
    let results = bench.results(&bench.retrieval(), &["--instruction", ""]);
    let [result] = &results[..] else { panic!("{results:?}") };
    assert_eq!(number(&result["score"]), 1.0);
    for name in ["ndcg_at_10", "map_at_1000", "recall_at_1", "mrr_at_10"] {
        assert_eq!(number(&result["scores"][name]), 1.0, "{name}");
    }
    let told = ["dimensions", "bytes_per_vector", "dtype"].map(|name| &result[name]);
    assert_eq!(json!(told), json!([32, 128, "bf16"]));
}

#[test]
fn a_table_is_for_people() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let settings = ["--format", "table", "--dimensions", "32,1", "--instruction", ""];
    let outcome = bench.eval(&data, &settings).succeeds();
    let text = outcome.text();
    assert!(text.starts_with("facts: retrieval, 8 queries, 8 documents, ndcg_at_10\n"), "{text}");
    for word in ["dimensions", "difference", "p", "tokens/s", "lost most by", "1.0000", "-0."] {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
}

#[test]
fn vectors_are_computed_once() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let first = bench.results(&data, &[]);
    let kept = bench.kept();
    assert_eq!(kept.len(), 2, "of queries and of documents: {kept:?}");
    let again = bench.results(&data, &["--dimensions", "32,16,8"]);
    assert_eq!(bench.kept(), kept, "cut vectors come from whole ones");
    let scores = |results: &[Value]| results[0]["scores"].clone();
    assert_eq!(scores(&first), scores(&again));
    assert_eq!(first[0]["tokens_per_second"], again[0]["tokens_per_second"]);
    bench.results(&data, &["--instruction", "Find it"]);
    assert_eq!(bench.kept().len(), 3, "documents have no instruction");
    bench.results(&data, &["--dtype", "f32"]);
    assert_eq!(bench.kept().len(), 5);
}

#[test]
fn cut_vectors_are_those_of_embed() {
    let bench = Bench::new();
    let data = bench.lines(
        "pairs.jsonl",
        TEXTS.windows(2).zip(1..).map(|(pair, at)| {
            json!({"sentence1": pair[0], "sentence2": pair[1], "score": f64::from(at % 5)})
        }),
    );
    let results = bench.results(&data, &["--dimensions", "8", "--instruction", ""]);
    let embed = on_cpu("embed", &embedding_model(), ["--dimensions", "8", "--format", "jsonl"]);
    let vectors: Vec<Vec<f64>> = embed.args(TEXTS).succeeds().jsonl().iter().map(vector).collect();
    let cosines: Vec<f64> = vectors
        .windows(2)
        .map(|pair| pair[0].iter().zip(&pair[1]).map(|(a, b)| a * b).sum())
        .collect();
    let gold: Vec<f64> = (1..8).map(|at| f64::from(at % 5)).collect();
    let expected = qwen3_eval::pearson(&gold, &cosines).unwrap();
    let found = number(&results[0]["scores"]["cosine_pearson"]);
    assert!((found - expected).abs() < 1e-5, "{found}, {expected} expected");
}

fn vector(object: &Value) -> Vec<f64> {
    object["embedding"].as_array().unwrap().iter().map(number).collect()
}

#[test]
fn every_setting_is_compared_with_the_first() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let tasks = bench.lines("tasks.txt", []);
    fs::write(&tasks, "Find the same\n\nFind another\n").unwrap();
    let arguments = ["--dtype", "bf16,q8_0", "--dimensions", "32,8", "--instruction-file"];
    let run = bench.eval(&data, &arguments).arg(&tasks);
    let value = run.succeeds().json();
    let results = value[0]["results"].as_array().unwrap();
    let settings: Vec<Value> = results
        .iter()
        .map(|of| json!([of["dtype"], of["instruction"], of["dimensions"]]))
        .collect();
    assert_eq!(settings.len(), 8);
    assert_eq!(settings[1], json!(["bf16", "Find the same", 8]));
    assert_eq!(settings[6], json!(["q8_0", "Find another", 32]));
    assert!(results[0]["difference"].is_null() && results[0]["test"].is_null());
    for other in &results[1..] {
        let difference = number(&other["score"]) - number(&results[0]["score"]);
        assert!((number(&other["difference"]) - difference).abs() < 1e-12);
        assert!((0.0..=1.0).contains(&number(&other["test"]["p_value"])));
    }
}

#[test]
fn a_reranker_orders_the_first_documents() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let run = bench.eval(&data, &["--top", "3", "--reranker"]).arg(reranker());
    let value = run.args(["--output"]).arg(bench.at("out")).succeeds().json();
    let results = value[0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert!(results[0]["reranker"].is_null() && results[1]["reranker"].is_string());
    assert!(
        number(&results[1]["scores"]["recall_at_1000"])
            <= number(&results[0]["scores"]["recall_at_3"])
    );
    let runs = files(&bench.at("out"), "trec");
    let lines: Vec<usize> =
        runs.iter().map(|path| fs::read_to_string(path).unwrap().lines().count()).collect();
    assert_eq!(lines.iter().sum::<usize>(), 8 * 8 + 8 * 3, "{runs:?}");
}

/// All files of an ending below a folder.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|of| of == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn results_have_the_form_of_mtebs() {
    let bench = Bench::new();
    let data = bench.retrieval();
    bench.eval(&data, &["--dimensions", "32,8", "--output"]).arg(bench.at("out")).succeeds();
    let results = files(&bench.at("out/results"), "json");
    assert_eq!(results.len(), 4, "{results:?}");
    let read = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    for folder in results.iter().filter(|path| path.ends_with("facts.json")) {
        let result = read(folder);
        assert_eq!(result["task_name"], "facts");
        let scores = &result["scores"]["test"][0];
        assert_eq!(scores["main_score"], scores["ndcg_at_10"]);
        let meta = read(&folder.with_file_name("model_meta.json"));
        let revision = folder.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(meta["revision"], revision);
    }
}

#[test]
fn a_run_goes_out_and_in_with_the_same_scores() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let path = bench.at("run.trec");
    let first = bench.eval(&data, &["--run-file"]).arg(&path).succeeds().json();
    let from_run = |run: Qwen3| run.arg(&data).args(["--from-run"]).arg(&path).succeeds().json();
    let again = from_run(qwen3(["eval"]));
    assert_eq!(first[0]["results"][0]["scores"], again[0]["results"][0]["scores"]);
    assert_eq!(again[0]["results"][0]["model"], "run.trec");
}

#[test]
fn the_scores_of_each_query_and_a_picture_are_written() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let (parts, plot) = (bench.at("parts.jsonl"), bench.at("plot.svg"));
    let run = bench.eval(&data, &["--dimensions", "32,8,2", "--per-query"]).arg(&parts);
    run.args(["--plot"]).arg(&plot).succeeds();
    let text = fs::read_to_string(&parts).unwrap();
    let parts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(parts.len(), 8);
    assert_eq!((&parts[3]["query"], &parts[3]["text"]), (&json!("q3"), &json!(TEXTS[3])));
    assert_eq!(parts[3]["scores"].as_array().map(Vec::len), Some(3));
    let plot = fs::read_to_string(&plot).unwrap();
    assert!(plot.starts_with("<svg") && plot.matches("<circle").count() == 3, "{plot}");
}

#[test]
fn what_can_not_be_drawn_is_told_behind_the_results() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let plot = bench.at("plot.svg");
    fs::write(&plot, "an older one").unwrap();
    // All queries find what they ask for, so that abstaining can't help.
    let settings = ["--instruction", "", "--score", "nauc_ndcg_at_10_max", "--plot"];
    let outcome = bench.eval(&data, &settings).arg(&plot).outcome();
    assert!(outcome.code == Some(1) && outcome.stderr.contains("plot.svg"), "{outcome:?}");
    assert!(outcome.stderr.contains("no score is a number"), "{outcome:?}");
    assert!(outcome.json()[0]["results"][0]["score"].is_null(), "{outcome:?}");
    assert_eq!(fs::read_to_string(&plot).unwrap(), "an older one");
}

#[test]
fn every_type_of_rows_is_told_by_its_columns() {
    let bench = Bench::new();
    let all = |row: &dyn Fn(usize) -> Value| (0..8).map(row).collect::<Vec<_>>();
    let text = |at| TEXTS[at % 8];
    let pair = |at: usize| json!({"sentence1": text(at), "sentence2": text(at / 2)});
    let label = |at: usize| json!(["a", "b"][at % 2]);
    let scored = |at| json!({"sentence1": text(at), "sentence2": text(at / 2), "score": at});
    let told = |at| json!({"sentence1": text(at), "sentence2": text(at / 2), "label": at % 2});
    bench.lines("sts.jsonl", all(&scored));
    bench.lines("pairs.jsonl", all(&told));
    bench.lines("bitext.jsonl", all(&pair));
    bench.lines("clusters.jsonl", all(&|at| json!({"text": text(at), "label": label(at)})));
    let group = |at| json!({"query": text(at), "positive": [text(at)], "negative": [text(at + 1)]});
    bench.lines("groups.jsonl", all(&group));
    for split in ["train", "test"] {
        let row = |at| json!({"text": text(at), "label": label(at)});
        bench.lines(&format!("classes/{split}.jsonl"), all(&row));
        let row = |at| json!({"text": text(at), "labels": [label(at), "c"]});
        bench.lines(&format!("labels/{split}.jsonl"), all(&row));
    }
    let summaries = |at| {
        let machine = [text(at + 1), text(at + 2), text(at + 3)];
        json!({"human_summaries": [text(at)], "machine_summaries": machine, "relevance": [1, 2, 3]})
    };
    bench.lines("summaries.jsonl", all(&summaries));
    for (name, task) in [
        ("sts.jsonl", "sts"),
        ("pairs.jsonl", "pair-classification"),
        ("bitext.jsonl", "bitext-mining"),
        ("clusters.jsonl", "clustering"),
        ("groups.jsonl", "reranking"),
        ("classes", "classification"),
        ("labels", "multilabel-classification"),
        ("summaries.jsonl", "summarization"),
    ] {
        let value = &bench.eval(&bench.at(name), &[]).succeeds().json()[0];
        assert_eq!(value["task"], task);
        let score = number(&value["results"][0]["score"]);
        assert!((-1.0..=1.0).contains(&score), "{task}: {score}");
    }
}

#[test]
fn several_data_sets_have_a_mean() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let other = bench.at("other");
    fs::create_dir(&other).unwrap();
    fs::create_dir(other.join("qrels")).unwrap();
    for name in ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"] {
        fs::copy(data.join(name), other.join(name)).unwrap();
    }
    let run = bench.eval(&data, &["--format", "table"]).arg(&other).succeeds();
    let text = run.text();
    assert!(text.contains("other: retrieval") && text.contains("Mean of 2 data sets"), "{text}");
}

#[test]
fn what_was_published_is_named_so() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let text = bench.eval(&data, &["--published", "--format", "table"]).succeeds();
    let words =
        ["Published, not measured here", "MTEB (Multilingual) (published)", "C-MTEB", "64.64"];
    assert!(words.iter().all(|word| text.text().contains(word)), "{text:?}");
    let value = bench.eval(&data, &["--published", "--json"]).succeeds().json();
    assert!(value["published"]["source"].is_string() && value["measured"].is_array());
}

#[test]
fn nothing_is_kept_where_nothing_is_to_be_kept() {
    let bench = Bench::new();
    let data = bench.retrieval();
    let run = |arguments: &[&str]| -> Outcome {
        let run = on_cpu("eval", &embedding_model(), ["--quiet"]).arg(&data);
        run.args(arguments.iter().copied()).env("XDG_CACHE_HOME", bench.at("home")).succeeds()
    };
    run(&["--no-cache"]);
    assert!(!bench.at("home").exists());
    if cfg!(target_os = "linux") {
        run(&[]);
        assert_eq!(fs::read_dir(bench.at("home/qwen3/vectors")).unwrap().count(), 2);
    }
}
