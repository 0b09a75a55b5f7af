//! Results as mteb writes them, for its tools and its leaderboard.

use crate::{
    BitextScores, ClassificationScores, ClusteringScores, Error, InstructionScores,
    MultilabelScores, PairScores, RetrievalScores, StsScores, SummarizationScores,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The version of mteb that numbers are comparable with.
pub const MTEB_VERSION: &str = "2.26.24";

/// A task's scores by mteb's names.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedScores(Map<String, Value>);

impl NamedScores {
    /// A score that is one number.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).and_then(Value::as_f64)
    }

    /// All of them.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    fn of(scores: &impl Serialize) -> Self {
        let value = serde_json::to_value(scores).expect("scores are numbers by name");
        Self(value.as_object().cloned().unwrap_or_default())
    }
}

impl From<&RetrievalScores> for NamedScores {
    fn from(scores: &RetrievalScores) -> Self {
        let ours = ["r_cap_at_", "hole_at_"];
        let is_mtebs = |name: &String| !ours.iter().any(|prefix| name.starts_with(prefix));
        let mut named = Self::of(&scores.means);
        named.0.retain(|name, _| is_mtebs(name));
        named
    }
}

impl From<&InstructionScores> for NamedScores {
    fn from(scores: &InstructionScores) -> Self {
        let mut named = Self::from(&scores.all);
        named.0.insert("p-MRR".to_owned(), json!(scores.p_mrr));
        for (name, part) in [("og", &scores.og), ("changed", &scores.changed)] {
            named.0.insert(name.to_owned(), Value::Object(Self::from(part).0));
        }
        named
    }
}

impl From<&PairScores> for NamedScores {
    fn from(scores: &PairScores) -> Self {
        let of = [
            ("similarity", &scores.cosine), // The model's own similarity.
            ("cosine", &scores.cosine),
            ("manhattan", &scores.manhattan),
            ("euclidean", &scores.euclidean),
            ("dot", &scores.dot),
        ];
        let mut named = Map::new();
        for measure in ["accuracy", "f1", "precision", "recall", "ap"] {
            let value =
                |(_, measures): &(_, _)| Self::of(measures).get(measure).unwrap_or(f64::NAN);
            for similarity in &of {
                named.insert(format!("{}_{measure}", similarity.0), json!(value(similarity)));
            }
            let best = of.iter().map(value).fold(f64::NEG_INFINITY, f64::max);
            named.insert(format!("max_{measure}"), json!(best));
        }
        Self(named)
    }
}

macro_rules! named_as_they_are {
    ($($scores:ty),*) => {$(
        impl From<&$scores> for NamedScores {
            fn from(scores: &$scores) -> Self {
                Self::of(scores)
            }
        }
    )*};
}

named_as_they_are!(
    StsScores,
    BitextScores,
    SummarizationScores,
    ClassificationScores,
    ClusteringScores,
    MultilabelScores
);

/// What a result says beside its scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its name, mteb's where it is one of mteb's.
    pub name: String,
    /// The revision of its data.
    pub dataset_revision: String,
    /// The name of the score that counts, such as `ndcg_at_10`.
    pub main_score: String,
    /// The part of the data, such as `test`.
    pub split: String,
    /// Languages with their scripts, such as `eng-Latn`.
    pub languages: Vec<String>,
}

/// The result of one split as mteb's `TaskResult`, in JSON.
///
/// # Errors
/// [`Error::Setting`] if the scores have none by the name of the main score.
pub fn task_result(
    task: &Task,
    scores: &NamedScores,
    evaluation_time_s: f64,
) -> Result<Value, Error> {
    let Some(main_score) = scores.0.get(&task.main_score).filter(|score| !score.is_object()) else {
        let range = "must be the name of a score of this type of task";
        let value = task.main_score.clone();
        return Err(Error::Setting { setting: "main_score", value, range });
    };
    let mut subset = scores.0.clone();
    subset.insert("main_score".to_owned(), main_score.clone());
    subset.insert("hf_subset".to_owned(), json!("default"));
    subset.insert("languages".to_owned(), json!(task.languages));
    subset.insert("mteb_version".to_owned(), json!(MTEB_VERSION));
    Ok(json!({
        "dataset_revision": task.dataset_revision,
        "task_name": task.name,
        "mteb_version": MTEB_VERSION,
        "scores": { &task.split: [subset] },
        "evaluation_time": evaluation_time_s,
        "kg_co2_emissions": null,
    }))
}

/// A result with those of other splits in an older one, as mteb's `TaskResult.merge` gives it; none if the
/// older one is no result of the same data. The same split is replaced.
pub fn merged_results(old: &Value, mut new: Value) -> Option<Value> {
    if ["task_name", "dataset_revision"].iter().any(|name| old[*name] != new[*name]) {
        return None;
    }
    let (scores, time) = (old["scores"].as_object()?, old["evaluation_time"].as_f64()?);
    let of_new = new["scores"].as_object_mut()?;
    let others = scores.iter().filter(|(split, _)| !of_new.contains_key(*split));
    let others: Vec<_> = others.map(|(split, of)| (split.clone(), of.clone())).collect();
    let has_others = !others.is_empty();
    of_new.extend(others);
    if has_others {
        new["evaluation_time"] = json!(new["evaluation_time"].as_f64()? + time);
    }
    Some(new)
}

/// Writes a result where mteb looks for it: `TASK.json`.
///
/// # Errors
/// If the file can't be written.
pub fn write_result(path: &Path, result: &Value) -> Result<(), Error> {
    std::fs::write(path, format!("{result:#}\n"))
        .map_err(|source| Error::Write { path: path.to_owned(), source })
}
