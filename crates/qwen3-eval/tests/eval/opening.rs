//! What is told when data are opened, before a text is embedded.

use crate::bench::{embed, folder, lines, options, refused};
use qwen3_eval::{Hit, OpenOptions, Run, Sample, TaskData, TaskType, compare, read_lists};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

#[test]
fn data_that_can_not_be_computed_are_refused_with_their_file() {
    let folder = TempDir::new().unwrap();
    let check = |rows: &[Value], words: &[&str]| {
        let path = folder.path().join("rows.jsonl");
        lines(&path, rows);
        refused(&path, &options(), &[&["rows.jsonl"], words].concat());
    };
    let pair = |name: &str, value: Value| json!({"sentence1": "a", "sentence2": "b", name: value});
    check(
        &[pair("score", json!(1)), pair("score", json!(1))],
        &["all `human scores` are the same"],
    );
    check(&[pair("score", json!(1))], &["there are 1 `human scores`"]);
    check(&[pair("label", json!(1)), pair("label", json!(1))], &["are one class"]);
    let summaries = |machine: Value, relevance: Value| json!({"human_summaries": ["a"], "machine_summaries": machine, "relevance": relevance});
    let two = || json!(["b", "c"]);
    check(&[summaries(two(), json!([1, 1]))], &["all `numbers of relevance` are the same"]);
    check(
        &[summaries(two(), json!([1, 2])), summaries(two(), json!([1]))],
        &["line 2", "2 machine_summaries and 1 numbers of relevance"],
    );
    check(&[summaries(json!([]), json!([]))], &["line 1", "0 machine_summaries"]);
    check(&[json!({"text": "a", "labels": []})], &["levels of labels"]);
    let mixed = [json!({"text": "a", "label": 1}), json!({"text": "a", "label": "b"})];
    check(&mixed, &["some labels are numbers"]);

    let at = |name: &str| folder.path().join(name);
    let one_class = [json!({"text": "a", "label": 1}), json!({"text": "b", "label": 1})];
    lines(&at("classes/train.jsonl"), &one_class);
    lines(&at("classes/test.jsonl"), &one_class);
    refused(&at("classes"), &options(), &["train.jsonl", "`labels to learn from` are one class"]);
    lines(&at("lists/train.jsonl"), &[json!({"text": "a", "labels": [1, 2]})]);
    lines(&at("lists/test.jsonl"), &[json!({"text": "a", "labels": [1, 2]})]);
    refused(&at("lists"), &options(), &["test.jsonl", "`examples of an experiment`"]);
}

#[test]
fn a_type_says_what_the_data_lack() {
    let rows = TempDir::new().unwrap();
    let path = rows.path().join("rows.jsonl");
    lines(&path, &[json!({"sentence1": "a", "sentence2": "b"})]);
    let with = |task| OpenOptions { task: Some(task), ..options() };
    let found = "it has the columns sentence1, sentence2";
    let needs = ["clustering, which needs rows with `text` (or `sentences`), `label`", found];
    refused(&path, &with(TaskType::Clustering), &needs);
    refused(&path, &with(TaskType::Sts), &["needs rows with", "`score`", found]);
    refused(&path, &with(TaskType::Retrieval), &["needs a folder with corpus.jsonl", found]);
    lines(&path, &[json!({"text": "a", "label": 1})]);
    refused(&path, &with(TaskType::Classification), &["--train FILE", "no rows to learn from"]);
    let folder = folder();
    let found = "it has corpus.jsonl, queries.jsonl and qrels/";
    refused(folder.path(), &with(TaskType::Clustering), &["clustering, which needs rows", found]);
    refused(folder.path(), &with(TaskType::Reranking), &["it has no top_ranked.jsonl"]);
    refused(folder.path(), &with(TaskType::InstructionRetrieval), &["it has no qrel_diff.jsonl"]);
}

#[test]
fn only_zeros_and_ones_are_labels_of_pairs() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let row = |label: &str| {
        format!("{{\"sentence1\": \"a\", \"sentence2\": \"b\", \"label\": {label}}}\n")
    };
    for [no, yes] in [["0", "1"], ["false", "true"], ["\"0\"", "\"1\""], ["0.0", "1.0"]] {
        let path = write("pairs.jsonl", &(row(no) + &row(yes) + &row(yes)));
        let evaluation = TaskData::open(&path, &options()).unwrap().evaluate(embed).unwrap();
        let Sample::Pairs { gold, .. } = evaluation.sample else { panic!("{evaluation:?}") };
        assert_eq!(gold, [0.0, 1.0, 1.0], "{no} {yes}");
    }
    for [no, yes] in [["0", "1"], ["False", "True"], ["false", "true"]] {
        let text = format!("sentence1,sentence2,label\na,b,{no}\na,b,{yes}\n");
        TaskData::open(&write("pairs.csv", &text), &options()).unwrap();
    }
    for (label, shown) in
        [("\"no\"", "`no`"), ("2", "`2`"), ("\"true\"", "`true`"), ("[1]", "`[1]`")]
    {
        let path = write("wrong.jsonl", &(row("1") + &row(label)));
        refused(&path, &options(), &["line 2", "wrong.jsonl", "no label 0 or 1", "`label`", shown]);
    }
}

#[test]
fn a_column_that_is_called_otherwise_is_there_and_is_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rows.jsonl");
    lines(&path, &[json!({"a": "x", "b": "y"})]);
    let with = |name: &str, column: &str| OpenOptions {
        columns: [("sentence1", "a"), ("sentence2", "b"), (name, column)]
            .map(|(name, column)| (name.to_owned(), column.to_owned()))
            .into(),
        ..options()
    };
    assert!(TaskData::open(&path, &with("sentence1", "a")).is_ok());
    refused(&path, &with("sentence1", "c"), &["no column `c`", "there are: a, b"]);
    let words = ["names `phrase`, which isn't read", "these are: sentence1, sentence2"];
    refused(&path, &with("phrase", "a"), &words);
    refused(&path, &with("text", "a"), &["names `text`", "these are: sentence1, sentence2"]);
    lines(&path, &[json!({"a": "x", "b": "y", "c": "z"})]);
    let untold =
        OpenOptions { columns: [("phrase".to_owned(), "a".to_owned())].into(), ..options() };
    refused(&path, &untold, &["names `phrase`", "machine_summaries", "text"]);
    let words = ["`--column` has no effect", "as in BEIR"];
    refused(self::folder().path(), &with("text", "a"), &words);
}

#[test]
fn options_without_an_effect_are_refused() {
    let folder = folder();
    let train = OpenOptions { train: Some(PathBuf::from("train.jsonl")), ..options() };
    refused(folder.path(), &train, &["`--train` has no effect", "retrieval doesn't learn"]);
    let fraction = OpenOptions { fraction: Some(0.5), ..options() };
    refused(
        folder.path(),
        &fraction,
        &["`--fraction` has no effect", "retrieval makes no clusters"],
    );
}

#[test]
fn lists_name_what_there_is() {
    let folder = folder();
    let list =
        |query: &str, documents: &[&str]| json!({"query-id": query, "corpus-ids": documents});
    let check = |file: &str, rows: &[Value], words: &[&str]| {
        lines(&folder.path().join(file), rows);
        refused(folder.path(), &options(), &[&[file], words].concat());
        fs::remove_file(folder.path().join(file)).unwrap();
    };
    let good = list("q1", &["d2"]);
    let unknown = ["line 2", "`d9`, which", "corpus.jsonl"];
    check("qrel_diff.jsonl", &[good.clone(), list("d3", &["d9"])], &["line 2", "`d3-og`"]);
    check("qrel_diff.jsonl", &[list("q1", &["d9"])], &["line 1", "`d9`, which", "corpus.jsonl"]);
    check("qrel_diff.jsonl", &[list("q4", &["d1"])], &["line 1", "`q4-og`", "qrels/test.jsonl"]);
    check("qrel_diff.jsonl", &[list("q1", &[])], &["has no row"]);
    let first = list("q1-og", &["d1"]);
    check("top_ranked.jsonl", &[first.clone(), list("d3", &["d1", "d9"])], &unknown);
    check("top_ranked.jsonl", &[list("q9", &["d1"])], &["line 1", "`q9`", "queries.jsonl"]);
    check("top_ranked.jsonl", &[list("d3", &["d1", "d1"])], &["line 1", "`d1` again"]);
    let path = folder.path().join("top_ranked.jsonl");
    lines(&path, &[first, list("q4", &["d2"])]);
    assert_eq!(read_lists(&path).unwrap()[1].line, 2);
    let data = TaskData::open(folder.path(), &options()).unwrap();
    let [note] = &data.notes[..] else { panic!("{:?}", data.notes) };
    assert!(note.starts_with("2 of 3 queries have no candidates in "), "{note}");
    let scores = data.evaluate(embed).unwrap().scores;
    assert!((scores.get("map_at_1000").unwrap() - 1.0 / 3.0).abs() < 1e-5);
}

#[test]
fn queries_without_a_relevant_document_are_told() {
    let folder = folder();
    let judge = |relevance: [i64; 3]| {
        let rows = ["q1-og", "q1-changed", "d3"].into_iter().zip(relevance);
        let row = |(query, score)| json!({"query-id": query, "corpus-id": "d1", "score": score});
        lines(&folder.path().join("qrels/test.jsonl"), &rows.map(row).collect::<Vec<_>>());
        TaskData::open(folder.path(), &options()).unwrap().notes
    };
    assert!(judge([1, 2, 1]).is_empty());
    let told = judge([1, 0, 1]).concat();
    assert!(told.starts_with("1 of 3 queries has no relevant document in "), "{told}");
    assert!(told.ends_with("test.jsonl; it scores 0"), "{told}");
    let told = judge([1, 0, -1]).concat();
    assert!(told.starts_with("2 of 3 queries have no relevant document in "), "{told}");
    lines(
        &folder.path().join("qrel_diff.jsonl"),
        &[json!({"query-id": "q1", "corpus-ids": ["d2"]})],
    );
    assert!(judge([1, 0, -1]).is_empty(), "p-MRR doesn't ask for a relevant one");
}

#[test]
fn files_that_are_not_read_say_what_to_do() {
    let folder = folder();
    for name in ["corpus.jsonl", "queries.jsonl", "qrels/test.jsonl"] {
        let path = folder.path().join(name);
        let packed = folder.path().join(format!("{name}.zst"));
        fs::rename(&path, &packed).unwrap();
        refused(folder.path(), &options(), &[".zst` is compressed", "unpack it first"]);
        fs::rename(&packed, &path).unwrap();
    }
    fs::rename(folder.path().join("qrels/test.jsonl"), folder.path().join("qrels/test.txt"))
        .unwrap();
    refused(folder.path(), &options(), &["no split `test`; it has no file that is read (.tsv"]);
    let rows = TempDir::new().unwrap();
    fs::write(rows.path().join("test-00000-of-00001.parquet"), "").unwrap();
    refused(rows.path(), &options(), &["broken, or no Parquet file"]);
    if cfg!(unix) {
        refused(
            Path::new("/dev/null"),
            &options(),
            &["is a pipe or a device", "write it to a file"],
        );
    }
}

#[test]
fn runs_of_other_queries_have_no_difference() {
    let folder = folder();
    // The accuracy is told of all queries together.
    for name in ["ndcg_at_10", "accuracy"] {
        let options = OpenOptions { main_score: Some(name.to_owned()), ..options() };
        let data = TaskData::open(folder.path(), &options).unwrap();
        let evaluate = |queries: &[&str]| {
            let mut run = Run::default();
            for query in queries {
                let hit = Hit { document: "d1".to_owned(), score: 1.0 };
                run.insert(query, vec![hit]).unwrap();
            }
            data.ranking().unwrap().evaluate(&run).unwrap()
        };
        let (all, one) = (evaluate(&["q1-og", "q1-changed", "d3"]), evaluate(&["d3"]));
        let missing = ["q1-changed", "q1-og"].map(str::to_owned);
        assert_eq!((all.missing.len(), &one.missing[..]), (0, &missing[..]));
        assert_eq!(compare(&all, &one).unwrap(), None, "{name}");
        assert_eq!(compare(&one, &one).unwrap().unwrap().of_scores, 0.0);
    }
}

#[test]
fn a_query_that_finds_nothing_scores_zero_and_not_minus_zero() {
    let folder = folder();
    let data = TaskData::open(folder.path(), &options()).unwrap();
    let mut run = Run::default();
    run.insert("d3", vec![]).unwrap();
    let scores = data.ranking().unwrap().evaluate(&run).unwrap().scores;
    for (name, score) in scores.as_map().iter().filter_map(|(name, x)| Some((name, x.as_f64()?))) {
        assert!(score.is_sign_positive(), "{name} is {score}");
    }
}
