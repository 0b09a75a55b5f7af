//! What an evaluation leaves on the disk.

use super::args::EvalArgs;
use super::error::EvalError;
use super::measure::{Measures, Outcome};
use super::place::Place;
use crate::cache::cache_folder;
use crate::error::Error;
use qwen3_engine::NewFile;
use qwen3_eval::{Run, Sample, Task, TaskData, merged_results, task_result, write_run};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What runs are tagged with.
const TAG: &str = "qwen3";
/// A file that is only begun, to see whether a folder takes one. Nobody else has one of this name.
pub const TRIED: &str = ".qwen3-eval";
/// Of data that have no revision on the hub.
const DATASET_REVISION: &str = "local";
/// In ISO 639 and 15924. mteb gives no score to a result without a language.
const UNKNOWN_LANGUAGE: &str = "und-Zyyy";

/// Where results are to be written.
pub struct Files<'a> {
    pub args: &'a EvalArgs,
}

impl Files<'_> {
    /// Writes one setting's result in mteb's form, and its run.
    pub fn write(
        &self,
        Measures { data, place, .. }: &Measures,
        outcome: &Outcome,
        run: Option<&Run>,
    ) -> Result<(), Error> {
        if let (Some(path), Some(run)) = (&self.args.results.run_file, run) {
            write_run_file(path, run)?;
        }
        let Some(folder) = &self.args.results.output else { return Ok(()) };
        let (name, revision) = (name_in_results(outcome), revision(outcome));
        let folder = folder.join("results").join(as_folder(&name)).join(&revision);
        std::fs::create_dir_all(&folder)
            .map_err(|source| Error::Write { path: folder.clone(), source })?;
        let split = &self.args.reading.split;
        let task = Task {
            name: data.name.clone(),
            dataset_revision: dataset_revision(place).to_owned(),
            main_score: data.main_score.clone(),
            split: split.clone(),
            languages: vec![UNKNOWN_LANGUAGE.to_owned()],
        };
        let result = task_result(&task, &outcome.evaluation.scores, outcome.seconds)?;
        let path = folder.join(format!("{}.json", data.name));
        write_json(&path, &with_other_splits(&path, result)?)?;
        write_json(&folder.join("model_meta.json"), &model_meta(outcome, &name, &revision))?;
        match run {
            Some(run) => write_run_file(&folder.join(format!("{}.{split}.trec", data.name)), run),
            None => Ok(()),
        }
    }

    /// Writes the parts of all scores, each on a line.
    pub fn write_parts(&self, measures: &[Measures]) -> Result<(), Error> {
        let Some(path) = &self.args.results.per_query else { return Ok(()) };
        let mut file = new_file(path)?;
        let failed = |source| Error::Write { path: path.clone(), source };
        for of_data in measures {
            for part in parts(of_data) {
                writeln!(file, "{part}").map_err(failed)?;
            }
        }
        file.replace().map_err(failed)
    }
}

/// The parts of the scores of one data set, with the score of each setting.
fn parts(measures: &Measures) -> Vec<Value> {
    let labels: Vec<_> = measures.outcomes.iter().map(|outcome| outcome.label.clone()).collect();
    let names: Vec<String> = labels.iter().map(|label| label.in_words(&labels)).collect();
    let samples = || measures.outcomes.iter().map(|outcome| &outcome.evaluation.sample);
    let scores: Vec<_> = samples().map(Sample::by_name).collect();
    let (texts, mut seen, mut parts) = (QueryTexts::of(&measures.data), HashSet::new(), vec![]);
    for sample in samples() {
        let Sample::Units { what, scores: units } = sample else { continue };
        for (id, _) in units {
            if !seen.insert(id) {
                continue;
            }
            let of = names.iter().zip(&scores).filter_map(|(name, scores)| {
                Some(json!({ "setting": name, "score": scores.get(id.as_str())? }))
            });
            parts.push(json!({
                "data": measures.data.name,
                *what: id,
                "text": texts.of_id(id),
                "measure": measures.data.main_score,
                "scores": of.collect::<Vec<_>>(),
            }));
        }
    }
    parts
}

/// The texts of queries by their ids.
pub struct QueryTexts<'a>(std::collections::HashMap<&'a str, &'a str>);

impl<'a> QueryTexts<'a> {
    pub fn of(data: &'a TaskData) -> Self {
        let queries = data.ranking().map_or(&[][..], |ranking| &ranking.queries);
        Self(queries.iter().map(|query| (query.id.as_str(), query.text.as_str())).collect())
    }

    pub fn of_id(&self, id: &str) -> Option<&'a str> {
        self.0.get(id).copied()
    }
}

/// The model's name with what was done to it: each setting is a model of its own to mteb.
fn name_in_results(outcome: &Outcome) -> String {
    let label = &outcome.label;
    let mut name = plain(&label.model);
    if let Some(measured) = &outcome.model {
        name += &format!("-{}", label.dtype);
        if label.dimensions != Some(measured.facts.dimensions) {
            name += &format!("-{}", label.dimensions.unwrap_or_default());
        }
    }
    if let Some(instruction) = &label.instruction {
        name += &format!("-instruction-{:08x}", super::store::key(instruction) as u32);
    }
    if let Some(reranker) = &label.reranker {
        name += &format!("-reranked-{}", plain(reranker).replace('/', "-"));
    }
    as_name(&name)
}

/// Without what a name on the hub can't have.
pub fn as_name(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let name: String = text.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    name.trim_matches(['/', '.']).to_owned()
}

/// As mteb does it.
pub fn as_folder(name: &str) -> String {
    name.replace('/', "__")
}

/// The name on the hub, or that of a folder or file.
pub fn plain(model: &str) -> String {
    let path = Path::new(model);
    let name = path.file_name().filter(|_| path.exists());
    name.map_or_else(|| model.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The hashes of the models' files, else mteb's for a model of which none is known.
fn revision(outcome: &Outcome) -> String {
    let model = outcome.model.as_ref().map(|measured| measured.facts.fingerprint.as_str());
    let reranker = outcome.reranker.as_ref().map(|(facts, _)| facts.fingerprint.as_str());
    let known: Vec<&str> = model.into_iter().chain(reranker).collect();
    if known.is_empty() { "no_revision_available".to_owned() } else { known.join("-") }
}

fn model_meta(outcome: &Outcome, name: &str, revision: &str) -> Value {
    let label = &outcome.label;
    json!({
        "name": name,
        "revision": revision,
        "loader": null,
        "release_date": null,
        "languages": null,
        "n_parameters": null,
        "max_tokens": null,
        "embed_dim": label.dimensions,
        "framework": [],
        "similarity_fn_name": "cosine",
        "model": label.model,
        "dtype": label.dtype,
        "instruction": label.instruction,
        "reranker": label.reranker,
        "device": outcome.model.as_ref().map(|measured| &measured.facts.device),
    })
}

fn dataset_revision(place: &Place) -> &str {
    place.revision.as_deref().unwrap_or(DATASET_REVISION)
}

/// Checks that results of some data can be merged with those that are there in folders that begin so.
pub fn check_old_results(results: &Path, prefix: &str, of: &Measures) -> Result<(), Error> {
    let inside = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_ours = |folder: &&PathBuf| {
        folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    let models = inside(results);
    for revision in models.iter().filter(is_ours).flat_map(|model| inside(model)) {
        let result = json!({
            "task_name": of.data.name,
            "dataset_revision": dataset_revision(&of.place),
            "scores": {},
            "evaluation_time": 0.0,
        });
        with_other_splits(&revision.join(format!("{}.json", of.data.name)), result)?;
    }
    Ok(())
}

/// A result with those of other splits that are there, as mteb merges them.
fn with_other_splits(path: &Path, result: Value) -> Result<Value, Error> {
    let old = match std::fs::read(path) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(result),
        Err(source) => return Err(Error::Read { name: path.display().to_string(), source }),
    };
    let old = serde_json::from_slice(&old).ok();
    let merged = old.and_then(|old| merged_results(&old, result));
    merged.ok_or_else(|| EvalError::NoResult { path: path.to_owned() }.into())
}

fn write_json(path: &Path, value: &Value) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let mut file = new_file(path)?;
    file.write_all(format!("{value:#}\n").as_bytes()).map_err(failed)?;
    file.replace().map_err(failed)
}

/// A run under its name when it is whole.
fn write_run_file(path: &Path, run: &Run) -> Result<(), Error> {
    let mut file = new_file(path)?;
    write_run(&mut file, path, run, TAG)?;
    file.replace().map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Makes a folder, and checks that files can be put into it.
pub fn begin_folder(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    NewFile::create(&folder.join(TRIED)).map(drop)
}

pub fn new_file(path: &Path) -> Result<NewFile, Error> {
    NewFile::create(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Where vectors are kept.
pub fn user_cache() -> Option<PathBuf> {
    Some(cache_folder()?.join("vectors"))
}
