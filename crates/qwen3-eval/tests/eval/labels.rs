//! Classification, multilabel classification and clustering against mteb.

use crate::support::{
    Matrix, assert_all_near, assert_main_score, assert_near, fixture, floats, integers, lists,
    scores,
};
use qwen3_eval::{
    Clustering, ClusteringSize, classification, multilabel_classification, pair_measures,
    stratified_rows,
};
use serde_json::{Value, json};

const EXACT: f64 = 1e-12;
const CLASS_MEASURES: [&str; 7] = [
    "accuracy",
    "f1",
    "f1_weighted",
    "precision",
    "precision_weighted",
    "recall",
    "recall_weighted",
];

/// scikit-learn learns in float32 if the vectors are, here it is float64. Of the 3,000 predictions
/// of these experiments that moves one, in scikit-learn too.
#[test]
fn classification_has_mtebs_numbers() {
    for case in fixture("classification")["cases"].as_array().unwrap() {
        let (train, test) = (Matrix::of(&case["train"]), Matrix::of(&case["test"]));
        let labels = integers(&case["train_labels"]);
        let test_labels = integers(&case["test_labels"]);
        let ours = classification((&train.rows(), &labels), (&test.rows(), &test_labels)).unwrap();
        let one_of_a_hundred = 0.02;
        let accuracy = ours.mean.accuracy;
        assert_main_score("Classification", accuracy, scores(&case["result"]), one_of_a_hundred);
        let ours = json!(ours);
        compare_experiments(&ours, scores(&case["result_float64"]), EXACT);
        compare_experiments(&ours, scores(&case["result"]), one_of_a_hundred);
    }
}

fn compare_experiments(ours: &Value, theirs: &Value, tolerance: f64) {
    let measures: Vec<&str> = match theirs["ap"].as_f64() {
        Some(_) => CLASS_MEASURES.into_iter().chain(["ap", "ap_weighted"]).collect(),
        None => CLASS_MEASURES.to_vec(),
    };
    assert_eq!(ours["ap"].is_null(), theirs["ap"].is_null());
    assert_all_near(ours, theirs, &measures, tolerance);
    let experiments = |of: &Value| of["scores_per_experiment"].as_array().unwrap().clone();
    let (ours, theirs) = (experiments(ours), experiments(theirs));
    assert_eq!((ours.len(), theirs.len()), (10, 10));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_all_near(ours, theirs, &measures, tolerance);
    }
}

#[test]
fn multilabel_classification_has_mtebs_numbers() {
    let fixture = fixture("multilabel");
    let (train, test) = (Matrix::of(&fixture["train"]), Matrix::of(&fixture["test"]));
    let (labels, all_labels) = (lists(&fixture["train_labels"]), lists(&fixture["test_labels"]));
    for (most, theirs) in fixture["results"].as_object().unwrap() {
        let kept = stratified_rows(&all_labels, most.parse().unwrap()).unwrap();
        let numbers: Vec<f32> =
            kept.iter().flat_map(|&row| test.rows().row(row).to_vec()).collect();
        let rows = qwen3_eval::Vectors::new(&numbers, test.rows().width()).unwrap();
        let test_labels: Vec<Vec<i64>> = kept.iter().map(|&row| all_labels[row].clone()).collect();
        let ours =
            multilabel_classification((&train.rows(), &labels), (&rows, &test_labels)).unwrap();
        assert_main_score("MultilabelClassification", ours.mean.lrap, scores(theirs), EXACT);
        let (ours, theirs) = (json!(ours), scores(theirs));
        assert_all_near(&ours, theirs, &["accuracy", "lrap", "f1", "hamming"], EXACT);
    }
}

#[test]
fn clustering_has_mtebs_numbers() {
    for case in fixture("clustering")["cases"].as_array().unwrap() {
        let (vectors, labels) = (Matrix::of(&case["vectors"]), lists(&case["labels"]));
        let run_documents = case["run_documents"].as_u64().unwrap() as usize;
        let size = ClusteringSize { fraction: case["fraction"].as_f64(), run_documents };
        let task = Clustering::new(labels.len(), size).unwrap();
        let drawn = task.documents().to_vec();
        let numbers: Vec<f32> =
            drawn.iter().flat_map(|&row| vectors.rows().row(row).to_vec()).collect();
        let rows = qwen3_eval::Vectors::new(&numbers, vectors.rows().width()).unwrap();
        let labels: Vec<Vec<i64>> = drawn.iter().map(|&row| labels[row].clone()).collect();
        let ours = task.evaluate(&rows, &labels).unwrap();
        let theirs = scores(&case["result"]);
        assert_main_score("Clustering", ours.v_measure, theirs, 1e-9);
        let ours = json!(ours);
        for of in ["v_measures", "ami_scores"] {
            for (level, theirs) in theirs[of].as_object().unwrap() {
                let ours = floats(&ours[of][level]);
                assert_eq!(ours.len(), 10);
                for (run, theirs) in theirs.as_array().unwrap().iter().enumerate() {
                    assert_near(&format!("{of} {level} {run}"), ours[run], theirs, 1e-9);
                }
            }
        }
        let names = ["v_measure", "v_measure_std", "ami", "ami_std"];
        assert_all_near(&ours, theirs, &names, 1e-9);
    }
}

#[test]
fn average_precision_is_that_of_scikit_learn() {
    for case in fixture("sklearn")["average_precision"].as_array().unwrap() {
        let labels = integers(&case["labels"]);
        if labels.contains(&0) {
            let ours = pair_measures(&floats(&case["scores"]), &labels).unwrap();
            assert_near("ap", ours.ap, &case["ap"], EXACT);
        }
    }
}
