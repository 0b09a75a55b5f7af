//! What an evaluation leaves on the disk.

use super::args::ResultArgs;
use super::error::EvalError;
use super::measure::{Measures, Outcome};
use crate::cache::cache_folder;
use crate::error::Error;
use qwen3_engine::NewFile;
use qwen3_eval::{Run, Sample, Task, TaskData, task_result, write_run};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What runs are tagged with.
const TAG: &str = "qwen3";
/// In ISO 639 and 15924. mteb gives no score to a result without a language.
const UNKNOWN_LANGUAGE: &str = "und-Zyyy";

/// Where results are to be written.
pub struct Files<'a> {
    pub args: &'a ResultArgs,
    pub split: &'a str,
}

impl Files<'_> {
    /// Checks what can be checked before anything is computed.
    pub fn check(&self, outcomes: usize) -> Result<(), Error> {
        if self.args.run_file.is_some() && outcomes > 1 {
            let reason =
                "takes one data set and one setting; `--output FOLDER` has a run file for each";
            return Err(EvalError::NotHere { flag: "--run-file", reason }.into());
        }
        for path in
            [&self.args.run_file, &self.args.per_query, &self.args.plot].into_iter().flatten()
        {
            drop(new_file(path)?);
        }
        Ok(())
    }

    /// Writes one setting's result in mteb's form, and its run.
    pub fn write(
        &self,
        data: &TaskData,
        outcome: &Outcome,
        run: Option<&Run>,
    ) -> Result<(), Error> {
        if let (Some(path), Some(run)) = (&self.args.run_file, run) {
            write_run_file(path, run)?;
        }
        let Some(folder) = &self.args.output else { return Ok(()) };
        let name = name_in_results(outcome);
        let revision = revision(outcome);
        let folder = folder.join("results").join(name.replace('/', "__")).join(&revision);
        std::fs::create_dir_all(&folder)
            .map_err(|source| Error::Write { path: folder.clone(), source })?;
        let task = Task {
            name: data.name.clone(),
            dataset_revision: "local".to_owned(),
            main_score: outcome.evaluation.main_score.clone(),
            split: self.split.to_owned(),
            languages: vec![UNKNOWN_LANGUAGE.to_owned()],
        };
        let result = task_result(&task, &outcome.evaluation.scores, outcome.seconds)?;
        write_json(&folder.join(format!("{}.json", data.name)), &result)?;
        write_json(&folder.join("model_meta.json"), &model_meta(outcome, &name, &revision))?;
        match run {
            Some(run) => write_run_file(&folder.join(format!("{}.trec", data.name)), run),
            None => Ok(()),
        }
    }

    /// Writes the parts of all scores, each on a line.
    pub fn write_parts(&self, measures: &[Measures]) -> Result<(), Error> {
        let Some(path) = &self.args.per_query else { return Ok(()) };
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
    let Some(Sample::Units { what, scores }) =
        measures.outcomes.first().map(|outcome| &outcome.evaluation.sample)
    else {
        return vec![];
    };
    let texts = QueryTexts::of(&measures.data);
    let of_part = |(at, (id, _)): (usize, &(String, f64))| {
        let of = measures.outcomes.iter().zip(&names).filter_map(|(outcome, name)| {
            let Sample::Units { scores, .. } = &outcome.evaluation.sample else { return None };
            let (_, score) = scores.get(at).filter(|(other, _)| other == id)?;
            Some(json!({ "setting": name, "score": score }))
        });
        let of: Vec<Value> = of.collect();
        json!({
            "data": measures.data.name,
            *what: id,
            "text": texts.of_id(id),
            "measure": measures.main_score,
            "scores": of,
        })
    };
    scores.iter().enumerate().map(of_part).collect()
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
    } else if let Some(dimensions) = label.dimensions {
        name += &format!("-{}-{dimensions}", label.dtype);
    }
    if let Some(instruction) = &label.instruction {
        name += &format!("-instruction-{:08x}", super::store::key(instruction) as u32);
    }
    if let Some(reranker) = &label.reranker {
        name += &format!("-reranked-{}", plain(reranker).replace('/', "-"));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let name: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    name.trim_matches(['/', '.']).to_owned()
}

/// The name on the hub, or that of a folder or file.
fn plain(model: &str) -> String {
    let path = Path::new(model);
    let name = path.file_name().filter(|_| path.exists());
    name.map_or_else(|| model.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// mteb's for a model of which none is known, else the hash of its files.
fn revision(outcome: &Outcome) -> String {
    let known = outcome.model.as_ref().map(|measured| measured.facts.fingerprint.clone());
    known.unwrap_or_else(|| "no_revision_available".to_owned())
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

fn write_json(path: &Path, value: &Value) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let mut file = new_file(path)?;
    file.write_all(format!("{value:#}\n").as_bytes()).map_err(failed)?;
    file.replace().map_err(failed)
}

/// A run under its name when it is whole.
fn write_run_file(path: &Path, run: &Run) -> Result<(), Error> {
    let file = new_file(path)?;
    write_run(file.path(), run, TAG)?;
    file.replace().map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn new_file(path: &Path) -> Result<NewFile, Error> {
    NewFile::create(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Where vectors are kept.
pub fn user_cache() -> Option<PathBuf> {
    Some(cache_folder()?.join("vectors"))
}
