//! What holds of every type of task.

use crate::bench::{embed, folder, lines, options, refused};
use proptest::prelude::*;
use qwen3_eval::{Error, OpenOptions, Sample, TaskData, TaskType};
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;

/// Rows of every type that say little, and the folder.
fn every_type() -> (TempDir, Vec<(TaskType, PathBuf)>) {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |at: usize| format!("text {}", at * at);
    let all = |row: &dyn Fn(usize) -> Value| (0..12).map(row).collect::<Vec<_>>();
    let pair = |name: &str, of: &dyn Fn(usize) -> Value| {
        all(&|at| json!({"sentence1": text(at), "sentence2": text(at / 2 + 1), name: of(at)}))
    };
    lines(&at("sts.jsonl"), &pair("score", &|at| json!(at % 5)));
    lines(&at("pairs.jsonl"), &pair("label", &|at| json!(at % 2)));
    lines(&at("bitext.jsonl"), &pair("other", &|_| json!(null)));
    lines(&at("clusters.jsonl"), &all(&|at| json!({"text": text(at), "label": at % 3})));
    let group = |at| json!({"query": text(at), "positive": [text(at)], "negative": [text(at + 1)]});
    lines(&at("groups.jsonl"), &all(&group));
    for split in ["train", "test"] {
        let row = |at: usize| json!({"text": text(at), "label": at % 2});
        lines(&at(&format!("classes/{split}.jsonl")), &all(&row));
        let row = |at: usize| json!({"text": text(at), "labels": [at % 2, 2 + at % 3]});
        lines(&at(&format!("lists/{split}.jsonl")), &all(&row));
    }
    let summaries = |at: usize| {
        let machine = [text(at + 1), text(at + 2), text(at + 4)];
        json!({"human_summaries": [text(at)], "machine_summaries": machine, "relevance": [1, 2, at % 3]})
    };
    lines(&at("summaries.jsonl"), &all(&summaries));
    let types = [
        (TaskType::Sts, "sts.jsonl"),
        (TaskType::PairClassification, "pairs.jsonl"),
        (TaskType::BitextMining, "bitext.jsonl"),
        (TaskType::Clustering, "clusters.jsonl"),
        (TaskType::Reranking, "groups.jsonl"),
        (TaskType::Classification, "classes"),
        (TaskType::MultilabelClassification, "lists"),
        (TaskType::Summarization, "summaries.jsonl"),
    ];
    let types = types.map(|(task, name)| (task, at(name)));
    (folder, types.into())
}

#[test]
fn every_score_of_a_type_may_count_and_no_other() {
    let (_rows, mut types) = every_type();
    let folder = folder();
    types.push((TaskType::Retrieval, folder.path().to_owned()));
    for (task, path) in types {
        let first = TaskData::open(&path, &options()).unwrap();
        assert_eq!(first.task, task);
        let evaluation = first.evaluate(embed).unwrap();
        let scores = evaluation.scores.as_map().iter();
        let names = scores.filter(|(_, value)| value.is_number() || value.is_null());
        for (name, _) in names {
            // Clusters are the same whichever score counts.
            let main_score = Some(name.clone());
            let data = TaskData::open(&path, &OpenOptions { main_score, ..options() }).unwrap();
            if task == TaskType::Clustering && !name.ends_with("std") && data.parts().is_some() {
                assert_eq!(data.parts(), Some("run"));
                continue;
            }
            let evaluation = data.evaluate(embed).unwrap();
            assert_eq!(&evaluation.main_score, name);
            let parts = match evaluation.sample {
                Sample::Units { what, .. } => Some(what),
                _ => None,
            };
            assert_eq!(data.parts(), parts, "{task} {name}");
        }
        let main_score = Some("goodness".to_owned());
        let words = [&*format!("{task} of these data has no score `goodness`"), task.main_score()];
        refused(&path, &OpenOptions { main_score, ..options() }, &words);
    }
}

#[test]
fn average_precision_is_for_two_classes() {
    let folder = TempDir::new().unwrap();
    for split in ["train", "test"] {
        let rows: Vec<Value> = (0..9).map(|at| json!({"text": "a", "label": at % 3})).collect();
        lines(&folder.path().join(format!("{split}.jsonl")), &rows);
    }
    let ap = OpenOptions { main_score: Some("ap".to_owned()), ..options() };
    refused(folder.path(), &ap, &["no score `ap`", "there are: accuracy, f1"]);
}

#[test]
fn summaries_are_embedded_together() {
    let (_folder, types) = every_type();
    let (_, path) = types.iter().find(|(task, _)| *task == TaskType::Summarization).unwrap();
    let data = TaskData::open(path, &options()).unwrap();
    let mut calls = vec![];
    let evaluated = data.evaluate(|role, texts| {
        calls.push(texts.len());
        embed(role, texts)
    });
    evaluated.unwrap();
    assert_eq!(calls, [data.texts()]);
}

#[test]
fn a_vector_with_nan_is_told_by_its_text() {
    let (_folder, types) = every_type();
    for (task, path) in types {
        let data = TaskData::open(&path, &options()).unwrap();
        let evaluated = data.evaluate(|role, texts| {
            let mut rows = embed(role, texts)?;
            let at = texts.iter().position(|text| text == "text 1");
            at.into_iter().for_each(|at| rows.numbers[at * rows.width] = f32::NAN);
            Ok::<_, Error>(rows)
        });
        let told = evaluated.unwrap_err().to_string();
        assert!(told.contains("NaN or infinity for the text `text 1`"), "{task}: {told}");
    }
}

/// A cell of some column, often one that fits.
fn cell() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(0)),
        Just(json!(1)),
        Just(json!("a")),
        Just(json!(2.5)),
        Just(json!(-1)),
        Just(json!(["a", "b"])),
        Just(json!([1, 2])),
        Just(json!([])),
        Just(json!([1])),
    ]
}

proptest! {
    /// What opens is computed, unless the vectors say nothing, as those of this model that differ do not.
    #[test]
    fn what_opens_can_be_computed(
        columns in 0_usize..8,
        rows in prop::collection::vec(prop::collection::vec(cell(), 3), 1..8),
        has_train in any::<bool>(),
    ) {
        let names: [&[&str]; 8] = [
            &["sentence1", "sentence2", "score"],
            &["sentence1", "sentence2", "label"],
            &["sentence1", "sentence2"],
            &["text", "label"],
            &["text", "labels"],
            &["query", "positive", "negative"],
            &["human_summaries", "machine_summaries", "relevance"],
            &["sentences", "labels"],
        ];
        let is_text = |name: &str| ["sentence1", "sentence2", "text", "sentences", "query"].contains(&name);
        let is_texts = |name: &str| ["positive", "negative", "human_summaries"].contains(&name);
        let rows: Vec<Value> = rows.into_iter().enumerate().map(|(at, cells)| {
            let cell = |(name, cell): (&&str, Value)| {
                let of = match name {
                    name if is_text(name) => json!(format!("{name} {}", at * at)),
                    name if is_texts(name) => json!([format!("{name} {at}")]),
                    _ => cell,
                };
                ((*name).to_owned(), of)
            };
            Value::Object(names[columns].iter().zip(cells).map(cell).collect())
        }).collect();
        let folder = TempDir::new().unwrap();
        lines(&folder.path().join("test.jsonl"), &rows);
        if has_train {
            lines(&folder.path().join("train.jsonl"), &rows);
        }
        if let Ok(data) = TaskData::open(folder.path(), &options()) {
            let told = data.evaluate(embed).err().map(|error| error.to_string());
            let by_vectors = ["similarities", "texts whose scores differ"];
            let told = told.filter(|told| !by_vectors.iter().any(|word| told.contains(word)));
            prop_assert_eq!((told, data.task), (None, data.task));
        }
    }
}
