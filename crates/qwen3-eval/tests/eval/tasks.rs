//! The whole way of a task, from files to scores, against mteb.

use crate::support::{assert_near, fixture, floats, scores};
use qwen3_eval::{Error, Evaluation, OpenOptions, Role, Rows, Sample, TaskData, TaskType, compare};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Texts, each the name of its vector.
#[derive(Default)]
struct Given(HashMap<String, Vec<f32>>);

impl Given {
    /// Names vectors, and tells their names.
    fn name(&mut self, prefix: &str, vectors: &Value) -> Vec<String> {
        let vectors = vectors.as_array().unwrap().iter().enumerate();
        let named = vectors.map(|(at, vector)| {
            let name = format!("{prefix} {at}");
            self.0.insert(name.clone(), floats(vector).into_iter().map(|x| x as f32).collect());
            name
        });
        named.collect()
    }

    fn rows(&self, texts: &[String]) -> Rows {
        let rows: Vec<&Vec<f32>> = texts.iter().map(|text| &self.0[text]).collect();
        Rows { width: rows[0].len(), numbers: rows.into_iter().flatten().copied().collect() }
    }

    fn evaluate(&self, data: &TaskData) -> Evaluation {
        data.evaluate(|_, texts| Ok::<_, Error>(self.rows(texts))).unwrap()
    }
}

fn lines(path: &Path, rows: impl IntoIterator<Item = Value>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, rows.into_iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
}

fn open(path: &Path) -> TaskData {
    let options = OpenOptions { split: "test".to_owned(), ..OpenOptions::default() };
    TaskData::open(path, &options).unwrap()
}

/// Expects a type and mteb's main score.
#[track_caller]
fn check(given: &Given, path: &Path, task: TaskType, theirs: &Value) {
    let data = open(path);
    assert_eq!(data.task, task);
    let ours = given.evaluate(&data);
    assert_near(task.main_score(), ours.main(), &theirs[task.main_score()], 1e-9);
    if let Sample::Units { scores, .. } = &ours.sample {
        let mean = scores.iter().map(|(_, score)| score).sum::<f64>() / scores.len() as f64;
        let is_mean = (mean - ours.main()).abs() < 1e-5;
        assert!(is_mean || task == TaskType::BitextMining, "{mean} {}", ours.main());
    }
    let none = compare(&ours, &ours).unwrap().unwrap();
    assert_eq!((none.of_scores, none.test.unwrap().mean_difference), (0.0, 0.0));
}

/// A folder of queries and documents, with mteb's lists.
fn ranking(name: &str) -> (TempDir, Given, Value) {
    let (mut fixture, folder) = (fixture(name), TempDir::new().unwrap());
    // mteb passes over it, here it is an error.
    fixture["qrels"].as_object_mut().unwrap().remove("unasked");
    let (mut given, at) = (Given::default(), |name: &str| folder.path().join(name));
    for (file, of) in [("corpus", "documents"), ("queries", "queries")] {
        let rows = fixture[of].as_array().unwrap().iter().map(|row| {
            let text = format!("{of} {}", row[0]);
            given.0.insert(text.clone(), floats(&row[1]).into_iter().map(|x| x as f32).collect());
            json!({"_id": row[0], "text": text})
        });
        lines(&at(&format!("{file}.jsonl")), rows);
    }
    let qrels = fixture["qrels"].as_object().unwrap().iter().flat_map(|(query, judged)| {
        let judged = judged.as_object().unwrap().iter();
        judged.map(move |(document, relevance)| format!("{query}\t{document}\t{relevance}\n"))
    });
    fs::create_dir(at("qrels")).unwrap();
    fs::write(at("qrels/test.tsv"), qrels.collect::<String>()).unwrap();
    for (file, of) in [("top_ranked", "candidates"), ("qrel_diff", "changed")] {
        if let Some(of) = fixture[of].as_object() {
            let rows = of.iter().map(|(query, ids)| json!({"query-id": query, "corpus-ids": ids}));
            lines(&at(&format!("{file}/test.jsonl")), rows);
        }
    }
    (folder, given, fixture)
}

#[test]
fn folders_of_queries_and_documents_have_mtebs_scores() {
    for (name, task) in [
        ("retrieval", TaskType::Retrieval),
        ("reranking", TaskType::Reranking),
        ("instructions", TaskType::InstructionRetrieval),
    ] {
        let (folder, given, fixture) = ranking(name);
        check(&given, folder.path(), task, scores(&fixture["result"]));
    }
}

#[test]
fn judgements_may_be_lines_of_json() {
    let (folder, given, fixture) = ranking("retrieval");
    fs::remove_file(folder.path().join("qrels/test.tsv")).unwrap();
    let rows = fixture["qrels"].as_object().unwrap().iter().flat_map(|(query, judged)| {
        let row =
            |(document, score)| json!({"query-id": query, "corpus-id": document, "score": score});
        judged.as_object().unwrap().iter().map(row).collect::<Vec<_>>()
    });
    lines(&folder.path().join("qrels/test.jsonl"), rows);
    check(&given, folder.path(), TaskType::Retrieval, scores(&fixture["result"]));
}

#[test]
fn pairs_have_mtebs_scores_from_any_kind_of_table() {
    let folder = TempDir::new().unwrap();
    for (name, column, task) in [
        ("sts", "gold", TaskType::Sts),
        ("pairs", "labels", TaskType::PairClassification),
        ("bitext", "", TaskType::BitextMining),
    ] {
        let (fixture, mut given) = (fixture(name), Given::default());
        let (left, right) =
            (given.name("left", &fixture["left"]), given.name("right", &fixture["right"]));
        let called = if name == "sts" { "score" } else { "labels" };
        let row = |at: usize| {
            let mut row = json!({"sentence1": left[at], "sentence2": right[at]});
            if !column.is_empty() {
                row[called] = fixture[column][at].clone();
            }
            row
        };
        let rows: Vec<Value> = (0..left.len()).map(row).collect();
        let json = folder.path().join(format!("{name}.jsonl"));
        lines(&json, rows.clone());
        check(&given, &json, task, scores(&fixture["result"]));
        for (ending, separator) in [("csv", ","), ("tsv", "\t")] {
            let columns: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
            let cells =
                |row: &Value| columns.iter().map(|column| row[*column].to_string()).collect();
            let mut text =
                columns.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(separator);
            for row in &rows {
                let cells: Vec<String> = cells(row);
                text += &format!("\r\n{}", cells.join(separator));
            }
            let path = folder.path().join(format!("{name}.{ending}"));
            fs::write(&path, text).unwrap();
            check(&given, &path, task, scores(&fixture["result"]));
        }
    }
}

#[test]
fn summaries_have_mtebs_scores() {
    let (fixture, folder) = (fixture("summarization"), TempDir::new().unwrap());
    let mut given = Given::default();
    let rows = fixture["texts"].as_array().unwrap().iter().enumerate().map(|(at, text)| {
        json!({
            "human_summaries": given.name(&format!("human {at}"), &text["human"]),
            "machine_summaries": given.name(&format!("machine {at}"), &text["machine"]),
            "relevance": text["gold"],
        })
    });
    let path = folder.path().join("test.jsonl");
    lines(&path, rows.collect::<Vec<_>>());
    check(&given, folder.path(), TaskType::Summarization, scores(&fixture["result"]));
}

#[test]
fn labelled_texts_have_mtebs_scores() {
    let folder = TempDir::new().unwrap();
    let classification = fixture("classification")["cases"][0].clone();
    let multilabel = fixture("multilabel");
    for (fixture, column, task, result) in [
        (&classification, "label", TaskType::Classification, &classification["result_float64"]),
        (&multilabel, "labels", TaskType::MultilabelClassification, &multilabel["results"]["3000"]),
    ] {
        let mut given = Given::default();
        for split in ["train", "test"] {
            let labels = &fixture[format!("{split}_labels")];
            let texts = given.name(split, &fixture[split]).into_iter().enumerate();
            let rows = texts.map(|(at, text)| json!({"text": text, column: labels[at]}));
            lines(&folder.path().join(format!("{split}.jsonl")), rows);
        }
        check(&given, folder.path(), task, scores(result));
    }
}

#[test]
fn categories_have_mtebs_scores() {
    let folder = TempDir::new().unwrap();
    for case in fixture("clustering")["cases"].as_array().unwrap() {
        if case["run_documents"] != 16_384 || !case["fraction"].is_null() {
            continue;
        }
        let mut given = Given::default();
        let texts = given.name("text", &case["vectors"]).into_iter().enumerate();
        let rows = texts.map(|(at, text)| json!({"sentences": text, "labels": case["labels"][at]}));
        let path = folder.path().join("clusters.jsonl");
        lines(&path, rows);
        check(&given, &path, TaskType::Clustering, scores(&case["result"]));
    }
}

#[test]
fn only_queries_and_texts_like_others_have_a_role_to_instruct() {
    let (folder, given, _) = ranking("retrieval");
    let mut roles = vec![];
    let data = open(folder.path());
    let evaluated = data.evaluate(|role, texts| {
        roles.push((role, texts.len()));
        Ok::<_, Error>(given.rows(texts))
    });
    evaluated.unwrap();
    assert_eq!(roles, [(Role::Query, 24), (Role::Document, 260)]);
    assert_eq!(data.texts(), 284);
}

/// What opening data is told.
fn refused(path: &Path, options: OpenOptions) -> String {
    let split = if options.split.is_empty() { "test".to_owned() } else { options.split.clone() };
    TaskData::open(path, &OpenOptions { split, ..options }).unwrap_err().to_string()
}

#[test]
fn data_that_is_not_what_it_should_be_is_told() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let check = |name: &str, text: &str, words: &[&str]| {
        fs::write(at(name), text).unwrap();
        let told = refused(&at(name), OpenOptions::default());
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
    };
    check("empty.jsonl", "\n", &["has no row"]);
    check("empty.csv", "a,b\n", &["has no row"]);
    check("other.jsonl", "{\"a\": 1}\n", &["can't tell", "--task", "columns"]);
    check("open.csv", "a,b\n1,\"2\n3", &["line 2", "quotation marks that is closed"]);
    check("wide.csv", "a,b\n1,2\n1,2,3\n", &["line 3", "as many fields"]);
    check("twice.csv", "a,a\n1,2\n", &["line 1", "`a` again"]);
    check("data.parquet", "PAR1", &["data.parquet` is broken, or no Parquet file"]);
    check("data.jsonl.zst", "", &["is compressed", "unpack"]);
    check("data.parquet.gz", "", &["is compressed once more", "unpack"]);
    let pair = r#"{"sentence1": "a", "sentence2": "b", "score": "high"}"#;
    check("score.jsonl", pair, &["line 1", "no number in the column `score`"]);
    check("nan.csv", "sentence1,sentence2,score\na,b,nan\n", &["line 2", "no number", "`score`"]);
    check("label.jsonl", r#"{"text": "a", "label": 1.5}"#, &["line 1", "label"]);
    let missing = refused(&at("nothing.jsonl"), OpenOptions::default());
    assert!(missing.contains("can't read"), "{missing}");
}

#[test]
fn folders_that_lack_something_are_told() {
    let (folder, _, _) = ranking("retrieval");
    let split = OpenOptions { split: "dev".to_owned(), ..OpenOptions::default() };
    let told = refused(folder.path(), split);
    assert!(told.contains("no split `dev`") && told.contains("there are: test"), "{told}");
    let task = OpenOptions { task: Some(TaskType::Sts), ..OpenOptions::default() };
    let told = refused(folder.path(), task);
    assert!(told.contains("isn't data for sts, which needs rows with `sentence1`"), "{told}");
    fs::write(folder.path().join("qrels/test.tsv"), "q1\tnowhere\t1\n").unwrap();
    let told = refused(folder.path(), OpenOptions::default());
    assert!(told.contains("names `nowhere`"), "{told}");
    let empty = TempDir::new().unwrap();
    assert!(refused(empty.path(), OpenOptions::default()).contains("neither corpus.jsonl nor"));
    lines(&empty.path().join("dev.jsonl"), [json!({"text": "a", "label": 1})]);
    assert!(refused(empty.path(), OpenOptions::default()).contains("there are: dev"));
}

#[test]
fn columns_may_be_called_otherwise() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("mine.csv");
    fs::write(&path, "\u{feff}links,rechts,note\n\"a, \"\"b\"\"\n\",b,1\nc,d,2.5\n").unwrap();
    let names = [("sentence1", "links"), ("sentence2", "rechts"), ("score", "note")];
    let columns = names.map(|(name, column)| (name.to_owned(), column.to_owned())).into();
    let options = OpenOptions { columns, split: "test".to_owned(), ..OpenOptions::default() };
    let data = TaskData::open(&path, &options).unwrap();
    let mut seen = vec![];
    let _ = data.evaluate(|_, texts| {
        seen.extend(texts.to_vec());
        Ok::<_, Error>(Rows { numbers: vec![1.0; texts.len()], width: 1 })
    });
    assert_eq!(
        (data.task, seen),
        (TaskType::Sts, ["a, \"b\"\n", "c", "b", "d"].map(str::to_owned).into())
    );
}
