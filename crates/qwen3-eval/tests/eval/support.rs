//! Reading the fixtures, and comparing with them.

use qwen3_eval::{Error, Hit, Qrels, Run, Vectors};
use serde_json::Value;
use std::path::PathBuf;

/// Names a folder of fixtures of another seed. Then all differences are shown, with `--nocapture`.
const OTHER_FIXTURES: &str = "QWEN3_EVALUATION";

/// What a fixture has.
pub fn fixture(name: &str) -> Value {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/evaluation");
    let file = |folder: PathBuf| folder.join(name).with_extension("json");
    let other = std::env::var_os(OTHER_FIXTURES).map(|folder| file(folder.into()));
    let path = other.filter(|path| path.exists()).unwrap_or_else(|| file(committed.into()));
    let text = std::fs::read_to_string(path).expect("the fixture is there");
    serde_json::from_str(&text).expect("the fixture is JSON")
}

/// The scores of a result of mteb.
pub fn scores(result: &Value) -> &Value {
    &result["scores"]["test"][0]
}

/// Vectors that are owned.
pub struct Matrix {
    numbers: Vec<f32>,
    width: usize,
}

impl Matrix {
    pub fn of(rows: &Value) -> Self {
        let rows: Vec<Vec<f64>> = rows.as_array().unwrap().iter().map(floats).collect();
        let width = rows.first().map_or(1, Vec::len);
        Self { numbers: rows.into_iter().flatten().map(|x| x as f32).collect(), width }
    }

    /// Of pairs of a name and a vector.
    pub fn named(rows: &Value) -> (Vec<String>, Self) {
        let rows = rows.as_array().unwrap();
        let names = rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect();
        (names, Self::of(&rows.iter().map(|row| row[1].clone()).collect()))
    }

    pub fn rows(&self) -> Vectors<'_> {
        Vectors::new(&self.numbers, self.width).unwrap()
    }
}

pub fn floats(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

pub fn integers(list: &Value) -> Vec<i64> {
    list.as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect()
}

pub fn lists(list: &Value) -> Vec<Vec<i64>> {
    list.as_array().unwrap().iter().map(integers).collect()
}

pub fn qrels(judged: &Value) -> Qrels {
    let mut qrels = Qrels::default();
    for (query, documents) in judged.as_object().unwrap() {
        for (document, relevance) in documents.as_object().unwrap() {
            qrels.insert(query, document, relevance.as_i64().unwrap()).unwrap();
        }
    }
    qrels
}

pub fn run(found: &Value) -> Result<Run, Error> {
    let mut run = Run::default();
    for (query, documents) in found.as_object().unwrap() {
        let hit = |(document, score): (&String, &Value)| Hit {
            document: document.clone(),
            score: score.as_f64().unwrap() as f32,
        };
        run.insert(query, documents.as_object().unwrap().iter().map(hit).collect())?;
    }
    Ok(run)
}

/// Asserts that a number is within `tolerance` of what another program computed, or NaN as there.
pub fn assert_near(name: &str, ours: f64, theirs: &Value, tolerance: f64) {
    let theirs = theirs.as_f64().unwrap_or(f64::NAN);
    if std::env::var_os(OTHER_FIXTURES).is_some() {
        println!("{:e} {name}", (ours - theirs).abs());
    }
    let is_near = (ours - theirs).abs() <= tolerance || ours.is_nan() && theirs.is_nan();
    assert!(is_near, "`{name}` is {ours}, expected {theirs} within {tolerance}");
}

/// Asserts that every number of `ours` by a name of `theirs` is near.
pub fn assert_all_near(ours: &Value, theirs: &Value, names: &[&str], tolerance: f64) {
    for name in names {
        let number = ours[name].as_f64().unwrap_or_else(|| panic!("no `{name}`"));
        assert!(theirs[name].is_number(), "mteb has no `{name}`");
        assert_near(name, number, &theirs[name], tolerance);
    }
}

/// Asserts that the score that counts is mteb's, and shows both with `--nocapture`.
pub fn assert_main_score(kind: &str, ours: f64, theirs: &Value, tolerance: f64) {
    let mteb = &theirs["main_score"];
    let difference = ours - mteb.as_f64().unwrap_or(f64::NAN);
    println!("| {kind} | {mteb} | {ours} | {difference:.1e} |");
    assert_near(kind, ours, mteb, tolerance);
}
