//! From data and settings to scores.

use super::args::EvalArgs;
use super::cached::Cost;
use super::files::Files;
use super::models::{Embedding, Facts, Reranking, Surroundings};
use super::opened::Opened;
use super::place::Place;
use super::reranked::Reranked;
use super::settings::{Label, Origin, RunFile, Settings, Variant};
use crate::error::Error;
use qwen3_engine::{DtypeChoice, Prompt};
use qwen3_eval::{Difference, Evaluation, Role, Rows, Run, TaskData, compare};
use std::time::Instant;

/// One setting on one data set.
pub struct Outcome {
    pub label: Label,
    pub evaluation: Evaluation,
    /// Of the model that gave vectors, and not of a run file.
    pub model: Option<Measured>,
    pub reranker: Option<(Facts, Cost)>,
    /// To the first setting; none for the first itself, and where other queries were measured.
    pub difference: Option<Difference>,
    pub seconds: f64,
}

/// What a model's vectors cost.
#[derive(Clone)]
pub struct Measured {
    pub facts: Facts,
    pub cost: Cost,
    /// A vector in float32.
    pub bytes: usize,
}

/// All settings on one data set, in the order in which they were asked for.
pub struct Measures {
    pub data: TaskData,
    pub place: Place,
    pub outcomes: Vec<Outcome>,
}

/// A reranker that is loaded when it is needed first.
pub struct LazyReranker {
    pub opened: Opened,
    pub loaded: Option<Reranking>,
}

/// Measures what was asked for, and writes results as they come.
pub struct Measuring<'a> {
    pub args: &'a EvalArgs,
    pub around: Surroundings<'a>,
    pub files: Files<'a>,
    pub measures: Vec<Measures>,
    pub models: Vec<Opened>,
    pub reranker: Option<LazyReranker>,
}

impl Measuring<'_> {
    pub fn all(&mut self, settings: &Settings) -> Result<(), Error> {
        let mut seen: Vec<Facts> = vec![];
        for origin in &settings.origins {
            match origin {
                Origin::Run(file) => {
                    for at in 0..self.measures.len() {
                        self.run_file(at, file)?;
                    }
                }
                Origin::Model { name, dtype } => {
                    let opened = self.models.iter().find(|opened| opened.name == *name);
                    let opened = opened.expect("all models were opened");
                    let mut model = Embedding::load(opened, *dtype, &self.around)?;
                    if let Some(same) = seen.iter().find(|facts| facts.is_same(&model.facts)) {
                        self.say_same((name, *dtype), same);
                        continue;
                    }
                    seen.push(model.facts.clone());
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

    fn say_same(&self, (name, dtype): (&str, DtypeChoice), same: &Facts) {
        if !self.args.device.quiet {
            crate::say(&format!(
                "`{name}` with `--dtype {dtype}` is the same as `{}` in {}, and left out",
                same.model, same.dtype
            ));
        }
    }

    fn variant(
        &mut self,
        at: usize,
        model: &mut Embedding,
        variant: &Variant,
    ) -> Result<(), Error> {
        let (started, mut cost) = (Instant::now(), Cost::default());
        let data = &self.measures[at].data;
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
                let run = self.without_identical_ids(ranking.run(embed)?);
                (ranking.evaluate(&run)?, Some(run))
            }
            None => (data.evaluate(embed)?, None),
        };
        self.around.told.end();
        let facts = model.facts.clone();
        let dimensions = model.dimensions(variant.dimensions)?;
        let outcome = Outcome {
            label: label(&facts, variant, dimensions),
            evaluation,
            model: Some(Measured { facts, cost, bytes: 4 * dimensions }),
            reranker: None,
            difference: None,
            seconds: started.elapsed().as_secs_f64(),
        };
        self.add(at, outcome, run)
    }

    fn run_file(&mut self, at: usize, file: &RunFile) -> Result<(), Error> {
        let started = Instant::now();
        let run = self.without_identical_ids(file.run.clone());
        let ranking = self.measures[at].data.ranking().expect("all data are rankings");
        let label = Label {
            model: file.name.clone(),
            dtype: String::new(),
            dimensions: None,
            instruction: None,
            reranker: None,
        };
        let outcome = Outcome {
            label,
            evaluation: ranking.evaluate(&run)?,
            model: None,
            reranker: None,
            difference: None,
            seconds: started.elapsed().as_secs_f64(),
        };
        self.add(at, outcome, Some(run))
    }

    fn without_identical_ids(&self, mut run: Run) -> Run {
        if self.args.reading.ignore_identical_ids {
            run.remove_identical_ids();
        }
        run
    }

    /// Keeps an outcome, and that of the reranker on its run.
    fn add(&mut self, at: usize, outcome: Outcome, run: Option<Run>) -> Result<(), Error> {
        let (label, model) = (outcome.label.clone(), outcome.model.clone());
        self.keep(at, outcome, run.as_ref())?;
        let (Some(lazy), Some(run)) = (&mut self.reranker, run) else { return Ok(()) };
        let reranker = match &mut lazy.loaded {
            Some(reranker) => reranker,
            none => none.insert(Reranking::load(&lazy.opened, &self.around)?),
        };
        let (started, mut cost) = (Instant::now(), Cost::default());
        let ranking = self.measures[at].data.ranking().expect("only a ranking has a run");
        let reranked = Reranked { ranking, run: &run, top: self.args.settings.top() };
        let instruction = label.instruction.clone();
        let run = reranked.by(reranker, instruction.as_ref(), (&mut cost, &self.around))?;
        let facts = reranker.facts.clone();
        let outcome = Outcome {
            evaluation: ranking.evaluate(&run)?,
            label: Label { reranker: Some(facts.model.clone()), ..label },
            model,
            reranker: Some((facts, cost)),
            difference: None,
            seconds: started.elapsed().as_secs_f64(),
        };
        self.keep(at, outcome, Some(&run))
    }

    fn keep(&mut self, at: usize, mut outcome: Outcome, run: Option<&Run>) -> Result<(), Error> {
        let measures = &mut self.measures[at];
        if let Some(first) = measures.outcomes.first() {
            outcome.difference = compare(&first.evaluation, &outcome.evaluation)?;
        }
        self.files.write(measures, &outcome, run)?;
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
