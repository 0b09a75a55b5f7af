//! What can be told of settings, data and results before a model is opened.

use super::args::{EvalArgs, ResultArgs};
use super::error::{EvalError, each_once};
use super::files::{as_folder, as_name, begin_folder, check_old_results, new_file, plain};
use super::measure::Measures;
use super::reranked::Reranked;
use super::settings::{RunFile, Settings, full};
use crate::error::Error;
use qwen3_eval::{Error as DataError, Ranking, check_trec_id};
use std::collections::HashSet;
use std::path::PathBuf;

const INPUT_ENDINGS: [&str; 7] = ["jsonl", "csv", "tsv", "parquet", "jsonl.gz", "csv.gz", "tsv.gz"];
const RANKINGS_ONLY: &str = "is for data with queries and documents";

/// What is asked for, with the data that it is asked of.
pub struct Check<'a> {
    pub args: &'a EvalArgs,
    pub settings: &'a Settings,
    pub measures: &'a [Measures],
}

impl Check<'_> {
    pub fn all(&self) -> Result<(), Error> {
        each_once("DATA", self.measures.iter().map(|of| full(&of.place.path)))?;
        if self.args.reading.data_revision.is_some()
            && self.measures.iter().all(|of| of.place.revision.is_none())
        {
            let reason = "has no effect: no data are from the hub; leave it out";
            return Err(EvalError::not_here("--data-revision", reason).into());
        }
        self.rankings()?;
        for ranking in self.measures.iter().filter_map(|of| of.data.ranking()) {
            for file in self.settings.runs() {
                self.run(ranking, file)?;
            }
        }
        self.flags_of_results()?;
        self.names_of_results()?;
        self.files()
    }

    fn results(&self) -> &ResultArgs {
        &self.args.results
    }

    /// Flags that say something about queries and documents.
    fn rankings(&self) -> Result<(), EvalError> {
        let flags = [
            ("--reranker", self.args.settings.reranker.is_some()),
            ("--from-run", !self.args.settings.from_run.is_empty()),
            ("--run-file", self.results().run_file.is_some()),
        ];
        for (flag, is_there) in flags {
            if is_there && self.measures.iter().any(|of| of.data.ranking().is_none()) {
                return Err(EvalError::not_here(flag, RANKINGS_ONLY));
            }
        }
        let has_identical = |ranking: &Ranking| {
            let documents: HashSet<&str> = ranking.document_ids().into_iter().collect();
            ranking.queries.iter().any(|query| documents.contains(query.id.as_str()))
        };
        let mut rankings = self.measures.iter().filter_map(|of| of.data.ranking());
        if self.args.reading.ignore_identical_ids && !rankings.any(has_identical) {
            let reason = "has no effect: no query has the id of a document; leave it out";
            return Err(EvalError::not_here("--ignore-identical-ids", reason));
        }
        Ok(())
    }

    /// A run must have something that is judged, and what a reranker reads must be there.
    fn run(&self, ranking: &Ranking, file: &RunFile) -> Result<(), DataError> {
        ranking.evaluate(&file.run).map_err(|reason| DataError::In {
            path: file.path.clone(),
            reason: Box::new(reason),
        })?;
        if self.args.settings.reranker.is_none() {
            return Ok(());
        }
        let known: HashSet<&str> = ranking.document_ids().into_iter().collect();
        let reranked = Reranked { ranking, run: &file.run, top: self.args.settings.top() };
        match reranked.documents().into_iter().find(|id| !known.contains(id)) {
            Some(id) => Err(DataError::UnknownId {
                place: format!("`{}`", file.path.display()),
                id: id.to_owned(),
                among: "the corpus".to_owned(),
            }),
            None => Ok(()),
        }
    }

    fn flags_of_results(&self) -> Result<(), Error> {
        let (results, settings) = (self.results(), self.settings);
        let rerankers = 1 + usize::from(self.args.settings.reranker.is_some());
        let outcomes = self.measures.len() * settings.len() * rerankers;
        if results.run_file.is_some() && outcomes > 1 {
            let reason =
                "takes one data set and one setting; `--output FOLDER` has a run file for each";
            return Err(EvalError::not_here("--run-file", reason).into());
        }
        if results.plot.is_some() && settings.runs().next().is_some() {
            let reason =
                "draws the score over the bytes of a vector, which a run file doesn't have";
            return Err(EvalError::not_here("--plot", reason).into());
        }
        let whole = self.measures.iter().find(|of| of.data.parts().is_none());
        if let (Some(of), Some(_)) = (whole, &results.per_query) {
            let (score, task, name) = (&of.data.main_score, of.data.task, &of.data.name);
            let reason = format!(
                "has nothing to write: the {score} of `{name}`, {task}, is one number over all of it"
            );
            return Err(EvalError::not_here("--per-query", reason).into());
        }
        if results.run_file.is_some() || results.output.is_some() {
            for ranking in self.measures.iter().filter_map(|of| of.data.ranking()) {
                let queries = ranking.queries.iter().map(|query| query.id.as_str());
                queries.chain(ranking.document_ids()).try_for_each(check_trec_id)?;
            }
        }
        Ok(())
    }

    /// No two results may be written to one file.
    fn names_of_results(&self) -> Result<(), EvalError> {
        if self.results().output.is_none() {
            return Ok(());
        }
        let data = self.args.data.iter().zip(self.measures);
        let data = data.map(|(path, of)| (of.data.name.clone(), path.display().to_string()));
        // It stands beside them.
        let meta = ("model_meta".to_owned(), "model_meta.json".to_owned());
        differ(data.chain([meta]))?;
        let shown = |file: &RunFile| file.path.display().to_string();
        differ(self.settings.runs().map(|file| (as_name(&plain(&file.name)), shown(file))))
    }

    /// All files can be written, and none of them is read. The folder is begun.
    fn files(&self) -> Result<(), Error> {
        let results = self.results();
        let files = [&results.run_file, &results.per_query, &results.plot];
        let files: Vec<&PathBuf> = files.into_iter().flatten().collect();
        each_once("--run-file, --per-query or --plot", files.iter().map(|path| full(path)))?;
        let inputs: HashSet<String> = self.inputs().iter().map(|path| full(path)).collect();
        for path in files {
            if inputs.contains(&full(path)) {
                return Err(Error::SameFile { path: path.clone() });
            }
            drop(new_file(path)?);
        }
        if let Some(folder) = &results.output {
            let folder = folder.join("results");
            begin_folder(&folder)
                .map_err(|source| Error::Write { path: folder.clone(), source })?;
            let named = |name: &str| as_folder(&as_name(&plain(name)));
            // The dtype follows on a model's name; without it, it is mteb's own.
            let models = self.settings.models().into_iter().map(|name| named(name) + "-");
            for prefix in models.chain(self.settings.runs().map(|file| named(&file.name))) {
                for measures in self.measures {
                    check_old_results(&folder, &prefix, measures)?;
                }
            }
        }
        Ok(())
    }

    /// The files that are read, or would be if they were there.
    fn inputs(&self) -> Vec<PathBuf> {
        let EvalArgs { reading, settings, .. } = self.args;
        let data: Vec<PathBuf> = self.measures.iter().map(|of| of.place.path.clone()).collect();
        let mut inputs = [&data[..], &settings.from_run].concat();
        inputs.extend([&reading.train, &settings.instruction_file].into_iter().flatten().cloned());
        for folder in &data {
            let lists = ["", "qrels", "qrel_diff", "top_ranked"];
            for name in ["corpus", "queries", "qrel_diff", "top_ranked", "train", &reading.split] {
                let names = INPUT_ENDINGS.map(|ending| format!("{name}.{ending}"));
                let names = names.iter();
                inputs
                    .extend(names.flat_map(|name| lists.map(|list| folder.join(list).join(name))));
            }
        }
        inputs
    }
}

/// Checks that names differ, each of which is that of an input.
fn differ(of: impl IntoIterator<Item = (String, String)>) -> Result<(), EvalError> {
    let mut seen: Vec<(String, String)> = vec![];
    for (name, second) in of {
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == name) {
            let first = first.clone();
            return Err(EvalError::SameResult { first, second, name });
        }
        seen.push((name, second));
    }
    Ok(())
}
