//! From data and settings to scores.

use super::args::EvalArgs;
use super::cached::Cost;
use super::error::EvalError;
use super::files::Files;
use super::models::{Embedding, Facts, Reranking, Surroundings};
use super::settings::{Label, Origin, Settings, Variant};
use crate::error::Error;
use qwen3_engine::Prompt;
use qwen3_eval::{
    Comparison, Evaluation, Hit, Ranking, Role, Rows, Run, TaskData, compare, read_run,
};
use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

/// Query-document pairs that are handed to the reranker at one time.
const CHUNK_PAIRS: usize = 4_096;

/// One setting on one data set.
pub struct Outcome {
    pub label: Label,
    pub evaluation: Evaluation,
    /// Of the model that gave vectors, and not of a run file.
    pub model: Option<Measured>,
    /// Of the reranker.
    pub reranker_cost: Option<Cost>,
    /// Beside the first setting; none for the first itself.
    pub comparison: Option<Comparison>,
    pub seconds: f64,
}

/// What a model's vectors cost.
pub struct Measured {
    pub facts: Facts,
    pub cost: Cost,
    /// A vector in float32.
    pub bytes: usize,
}

/// All settings on one data set, in the order in which they were asked for.
pub struct Measures {
    pub data: TaskData,
    pub main_score: String,
    pub outcomes: Vec<Outcome>,
}

/// Measures what was asked for, and writes results as they come.
pub struct Measuring<'a> {
    pub args: &'a EvalArgs,
    pub around: Surroundings<'a>,
    pub files: Files<'a>,
    pub measures: Vec<Measures>,
    pub reranker: Option<Reranking>,
}

impl Measuring<'_> {
    pub fn all(&mut self, settings: &Settings) -> Result<(), Error> {
        for origin in &settings.origins {
            match origin {
                Origin::Run(path) => {
                    for at in 0..self.measures.len() {
                        self.run_file(at, path)?;
                    }
                }
                Origin::Model { name, dtype } => {
                    let mut model = Embedding::load(name, *dtype, &self.around)?;
                    for variant in &settings.variants {
                        model.check_dimensions(variant.dimensions)?;
                    }
                    for at in 0..self.measures.len() {
                        for variant in &settings.variants {
                            self.variant(at, &mut model, variant)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn variant(
        &mut self,
        at: usize,
        model: &mut Embedding,
        variant: &Variant,
    ) -> Result<(), Error> {
        let (started, mut cost) = (Instant::now(), Cost::default());
        let Measures { data, main_score, .. } = &self.measures[at];
        self.around.told.begin(&format!("embed {}", data.name), data.texts());
        let of_texts = match data.task.is_ranking() {
            true => Prompt::Query,
            false => model.prompt_of_texts(data.task)?,
        };
        let prompt = variant.prompt(of_texts);
        let embed = |role: Role, texts: &[String]| -> Result<Rows, Error> {
            let prompt = if role == Role::Document { &Prompt::Document } else { &prompt };
            model.vectors((prompt, variant.dimensions), texts, (&mut cost, &self.around))
        };
        let (evaluation, run) = match data.ranking() {
            Some(ranking) => {
                let mut run = ranking.run(embed)?;
                if self.args.reading.ignore_identical_ids {
                    run.remove_identical_ids();
                }
                (ranking.evaluate(&run, main_score)?, Some(run))
            }
            None => (data.evaluate(main_score, embed)?, None),
        };
        self.around.told.end();
        let facts = model.facts.clone();
        let dimensions = model.check_dimensions(variant.dimensions)?;
        let label = label(&facts, variant, dimensions);
        let model = Some(Measured { facts, cost, bytes: 4 * dimensions });
        let outcome = Outcome {
            label,
            evaluation,
            model,
            reranker_cost: None,
            comparison: None,
            seconds: started.elapsed().as_secs_f64(),
        };
        self.add(at, outcome, run)
    }

    fn run_file(&mut self, at: usize, path: &Path) -> Result<(), Error> {
        let started = Instant::now();
        let Measures { data, main_score, .. } = &self.measures[at];
        let ranking = data.ranking().ok_or(EvalError::NotHere {
            flag: "--from-run",
            reason: "is for data with queries and documents",
        })?;
        let run = read_run(path)?;
        let evaluation = ranking.evaluate(&run, main_score)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let label = Label {
            model: name,
            dtype: String::new(),
            dimensions: None,
            instruction: None,
            reranker: None,
        };
        let outcome = Outcome {
            label,
            evaluation,
            model: None,
            reranker_cost: None,
            comparison: None,
            seconds: started.elapsed().as_secs_f64(),
        };
        self.add(at, outcome, Some(run))
    }

    /// Keeps an outcome, and that of the reranker on its run.
    fn add(&mut self, at: usize, outcome: Outcome, run: Option<Run>) -> Result<(), Error> {
        let label = outcome.label.clone();
        self.keep(at, outcome, run.as_ref())?;
        let (Some(name), Some(run)) = (&self.args.settings.reranker, run) else { return Ok(()) };
        let mut reranker = match self.reranker.take() {
            Some(reranker) => reranker,
            None => Reranking::load(name, &self.around)?,
        };
        let (started, mut cost) = (Instant::now(), Cost::default());
        let Measures { data, main_score, .. } = &self.measures[at];
        let ranking = data.ranking().expect("only a ranking has a run");
        let run = Reranked { ranking, run: &run, top: self.args.settings.top };
        let instruction = label.instruction.clone();
        let run = run.by(&mut reranker, instruction.as_ref(), (&mut cost, &self.around))?;
        let outcome = Outcome {
            evaluation: ranking.evaluate(&run, main_score)?,
            label: Label { reranker: Some(name.clone()), ..label },
            model: None,
            reranker_cost: Some(cost),
            comparison: None,
            seconds: started.elapsed().as_secs_f64(),
        };
        self.reranker = Some(reranker);
        self.keep(at, outcome, Some(&run))
    }

    fn keep(&mut self, at: usize, mut outcome: Outcome, run: Option<&Run>) -> Result<(), Error> {
        let measures = &mut self.measures[at];
        if let Some(first) = measures.outcomes.first() {
            outcome.comparison = compare(&first.evaluation, &outcome.evaluation)?;
        }
        self.files.write(&measures.data, &outcome, run)?;
        measures.outcomes.push(outcome);
        Ok(())
    }
}

fn label(facts: &Facts, variant: &Variant, dimensions: usize) -> Label {
    Label {
        model: facts.model.clone(),
        dtype: facts.dtype.clone(),
        dimensions: Some(dimensions),
        instruction: variant.instruction.clone(),
        reranker: None,
    }
}

/// A run whose first documents get another order.
struct Reranked<'a> {
    ranking: &'a Ranking,
    run: &'a Run,
    top: usize,
}

impl Reranked<'_> {
    fn by(
        &self,
        reranker: &mut Reranking,
        instruction: Option<&String>,
        (cost, around): (&mut Cost, &Surroundings),
    ) -> Result<Run, Error> {
        let firsts = |hits: &'_ [Hit]| hits.len().min(self.top);
        let wanted: HashSet<&str> = self
            .run
            .queries()
            .flat_map(|(_, hits)| &hits[..firsts(hits)])
            .map(|hit| hit.document.as_str())
            .collect();
        let documents = self.ranking.document_texts(&wanted)?;
        let queries: Vec<_> = self.ranking.queries.iter().collect();
        let pairs: Vec<(&str, &str, &str, &str)> = queries
            .iter()
            .flat_map(|query| {
                let hits = self.run.of(&query.id).unwrap_or_default();
                let documents = &documents;
                hits[..firsts(hits)].iter().map(move |hit| {
                    let text = documents[&hit.document].as_str();
                    (query.id.as_str(), hit.document.as_str(), query.text.as_str(), text)
                })
            })
            .collect();
        around.told.begin("rerank", pairs.len());
        let mut scores = vec![];
        for chunk in pairs.chunks(CHUNK_PAIRS) {
            let texts: Vec<(&str, &str)> = chunk.iter().map(|pair| (pair.2, pair.3)).collect();
            scores.extend(reranker.scores(instruction, &texts, (cost, around))?);
        }
        around.told.end();
        let mut run = Run::default();
        let scored: Vec<_> = pairs.iter().zip(scores).collect();
        for of_query in scored.chunk_by(|(a, _), (b, _)| a.0 == b.0) {
            let hit = |((_, document, ..), score): &(&(&str, &str, &str, &str), f32)| Hit {
                document: (*document).to_owned(),
                score: *score,
            };
            run.insert(of_query[0].0.0, of_query.iter().map(hit).collect())?;
        }
        Ok(run)
    }
}
