//! Clusters of documents whose categories or vectors tell little, against mteb.

use crate::support::{fixture, floats};
use qwen3_eval::{Error, OpenOptions, Rows, Sample, TaskData};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A file of documents, each of which is called by its position.
fn documents(folder: &TempDir, labels: impl Iterator<Item = Value>) -> PathBuf {
    let path = folder.path().join("clusters.jsonl");
    let rows = labels.enumerate();
    let rows = rows.map(|(at, labels)| json!({"text": at.to_string(), "labels": labels}));
    fs::write(&path, rows.map(|row| format!("{row}\n")).collect::<String>()).unwrap();
    path
}

fn options(score: &str) -> OpenOptions {
    let main_score = Some(score.to_owned());
    OpenOptions { split: "test".to_owned(), main_score, ..OpenOptions::default() }
}

/// The scores of all runs at all levels, by the vectors of a case.
fn runs(data: &TaskData, vectors: &Value) -> Vec<(String, f64)> {
    let rows: Vec<Vec<f64>> = vectors.as_array().unwrap().iter().map(floats).collect();
    let evaluated = data.evaluate(|_, texts| {
        let of_text = |text: &String| &rows[text.parse::<usize>().unwrap()];
        let numbers = texts.iter().flat_map(of_text).map(|x| *x as f32).collect();
        Ok::<_, Error>(Rows { numbers, width: rows[0].len() })
    });
    match evaluated.unwrap().sample {
        Sample::Units { scores, .. } => scores,
        other => panic!("{other:?}"),
    }
}

#[test]
fn categories_and_vectors_that_tell_little_have_mtebs_scores() {
    let folder = TempDir::new().unwrap();
    for case in fixture("degenerate_clusters")["cases"].as_array().unwrap() {
        let path = documents(&folder, case["labels"].as_array().unwrap().iter().cloned());
        for (score, of_levels) in [("v_measure", "v_measures"), ("ami", "ami_scores")] {
            let ours = runs(&TaskData::open(&path, &options(score)).unwrap(), &case["vectors"]);
            let levels = case[of_levels].as_object().unwrap().values();
            let theirs: Vec<f64> = levels.flat_map(floats).collect();
            assert_eq!(ours.len(), theirs.len(), "{}", case["name"]);
            for ((run, ours), theirs) in ours.iter().zip(theirs) {
                let what = format!("{score}, {}, {run}", case["name"]);
                assert!((ours - theirs).abs() < 1e-9, "{what}: {ours}, not {theirs}");
            }
        }
    }
}

/// mteb ends with an error of Python, as there is nothing to draw from.
#[test]
fn a_level_without_a_category_is_told() {
    let folder = TempDir::new().unwrap();
    let path = documents(&folder, [json!([-1]), json!([-1])].into_iter());
    let told = TaskData::open(&path, &options("v_measure")).unwrap_err().to_string();
    assert!(told.contains("labels of a level"), "{told}");
}
