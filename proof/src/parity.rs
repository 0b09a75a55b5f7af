//! A model on a device against its reference.

use crate::compare::{Line, compare, first_difference, worst_of_each_stage};
use crate::difference::Difference;
use crate::error::Error;
use crate::reference::{Case, CaseInput, Output, Reference, Stages};
use crate::tolerance::{Bounds, bounds};
use qwen3_engine::internals::Recorded;
use qwen3_engine::{
    Checkpoint, DEFAULT_TASK, DeviceId, Dtype, DtypeChoice, Embedder, EncodeOptions, Kind, Options,
    Prompt, RankOptions, Reranker, Similarity, Source,
};
use serde::Serialize;
use std::time::Instant;

/// Longer cases aren't put together with others.
const MAX_BATCHED_TOKENS: usize = 1024;

/// One model on one device in one dtype.
#[derive(Debug, Serialize)]
pub struct Cell {
    /// The model.
    pub model: String,
    /// Where it ran.
    pub device: String,
    /// Precision of its weights.
    pub dtype: String,
    /// What had to hold.
    pub bounds: Bounds,
    /// Every stage, the worst of all cases, in the order of execution.
    pub lines: Vec<Line>,
    /// Of embeddings; 1 for rerankers.
    pub worst_cosine: f64,
    /// Of numbers of unit vectors, or of log-odds.
    pub worst_abs: f64,
    /// Whether documents come in the same order, but for near ties.
    pub same_ranking: bool,
    /// Largest difference between a text alone and in a batch.
    pub batch_error: f64,
    /// What ended the comparison early.
    pub error: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

impl Cell {
    /// Whether everything is within bounds.
    pub fn ok(&self) -> bool {
        self.error.is_none()
            && self.lines.iter().all(|line| line.ok)
            && self.same_ranking
            && self.batch_error <= self.bounds.batch
    }

    /// The first stage that is out of bounds.
    pub fn first_difference(&self) -> Option<&Line> {
        first_difference(&self.lines)
    }
}

/// Compares `model` with its reference.
///
/// # Errors
/// If the model can't be opened at all. What fails on the device alone is
/// told by the cell.
pub fn check(
    reference: &Reference,
    model: &str,
    device: DeviceId,
    dtype: Dtype,
) -> Result<Cell, Error> {
    let options = Options::default().device(device).dtype(dtype);
    let checkpoint = Checkpoint::open(Source::new(model).kind(reference.kind), &options.hooks)?;
    let bounds = bounds(device, dtype, checkpoint.dtype()?);
    let started = Instant::now();
    let mut cell = Cell {
        model: checkpoint.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
        device: device.to_string(),
        dtype: DtypeChoice::from(dtype).to_string(),
        bounds,
        lines: vec![],
        worst_cosine: 1.0,
        worst_abs: 0.0,
        same_ranking: true,
        batch_error: 0.0,
        error: None,
        seconds: 0.0,
    };
    let compared =
        Model::load(&checkpoint, &options).and_then(|model| fill(&mut cell, reference, &model));
    cell.error = compared.err().map(|error| error.to_string());
    cell.seconds = started.elapsed().as_secs_f64();
    Ok(cell)
}

fn fill(cell: &mut Cell, reference: &Reference, model: &Model) -> Result<(), qwen3_engine::Error> {
    let bound = cell.bounds.stage;
    let mut lines = vec![];
    let mut alone = vec![];
    for case in &reference.cases {
        let tokens = Difference::between_ids(&case.input_ids, &model.tokenize(case)?);
        lines.push(Line::new("tokens", &case.name, tokens, 0.0));
        if !case.rows.is_empty() {
            let found = named(model.stages(&[&case.input_ids], &case.rows)?);
            lines.extend(compare(&case.name, &case.stages, &found, bound));
        }
        let found = model.outputs(&[case])?.remove(0);
        lines.push(output_line(case, &found, &cell.bounds));
        alone.push(found);
    }
    lines.extend(batched(reference, model, bound)?);
    let all: Vec<&Case> = reference.cases.iter().collect();
    let together = model.outputs(&all)?;
    for (case, (alone, together)) in reference.cases.iter().zip(alone.iter().zip(&together)) {
        lines.push(output_line(case, together, &cell.bounds));
        cell.batch_error = cell.batch_error.max(largest_difference(alone, together));
    }
    let outputs = lines.iter().filter(|line| ["embedding", "score"].contains(&&line.stage[..]));
    for line in outputs {
        cell.worst_abs = cell.worst_abs.max(line.difference.max_abs);
        cell.worst_cosine = cell.worst_cosine.min(line.difference.cosine);
    }
    cell.same_ranking = same_ranking(reference, &together, cell.bounds.output);
    cell.lines = worst_of_each_stage(lines);
    Ok(())
}

/// The stages of one packed batch of all shorter cases against references
/// that were computed one by one.
fn batched(
    reference: &Reference,
    model: &Model,
    bound: f64,
) -> Result<Vec<Line>, qwen3_engine::Error> {
    let fits = |case: &&Case| !case.rows.is_empty() && case.input_ids.len() <= MAX_BATCHED_TOKENS;
    let cases: Vec<&Case> = reference.cases.iter().filter(fits).collect();
    let sequences: Vec<&[u32]> = cases.iter().map(|case| &case.input_ids[..]).collect();
    let mut tokens = vec![];
    let mut first = 0;
    for case in &cases {
        tokens.extend(case.rows.iter().map(|row| first + row));
        first += case.input_ids.len() as u32;
    }
    if cases.len() < 2 {
        return Ok(vec![]);
    }
    let found = named(model.stages(&sequences, &tokens)?);
    let mut lines = vec![];
    let mut before = 0;
    for case in cases {
        let of_case = |(name, values): &(String, Vec<f32>)| {
            let width = values.len() / tokens.len();
            let rows = before * width..(before + case.rows.len()) * width;
            (name.clone(), values[rows].to_vec())
        };
        let found: Stages = found.iter().map(of_case).collect();
        lines.extend(compare(&format!("{} in a batch", case.name), &case.stages, &found, bound));
        before += case.rows.len();
    }
    Ok(lines)
}

fn named(recorded: Vec<Recorded>) -> Stages {
    recorded.into_iter().map(|(stage, values)| (stage.to_string(), values)).collect()
}

fn output_line(case: &Case, found: &Output, bounds: &Bounds) -> Line {
    let (stage, difference) = match (&case.output, found) {
        (Output::Embedding(expected), Output::Embedding(found)) => {
            ("embedding", Difference::between(expected, found))
        }
        (Output::LogOdds(expected), Output::LogOdds(found)) => {
            ("score", Difference::of_number(*expected, *found))
        }
        _ => unreachable!("the reference is of the model's kind"),
    };
    let mut line = Line::new(stage, &case.name, difference, f64::INFINITY);
    line.ok = difference.max_abs <= bounds.output
        && (stage == "score" || difference.cosine >= bounds.cosine);
    line
}

fn largest_difference(left: &Output, right: &Output) -> f64 {
    match (left, right) {
        (Output::Embedding(left), Output::Embedding(right)) => {
            Difference::between(left, right).max_abs
        }
        (Output::LogOdds(left), Output::LogOdds(right)) => (left - right).abs(),
        _ => f64::INFINITY,
    }
}

/// Whether each query orders the documents as the reference does, and a
/// reranker its pairs; what is closer than `margin` may change places.
fn same_ranking(reference: &Reference, found: &[Output], margin: f64) -> bool {
    let similarities = |outputs: &[&Output]| -> Vec<Vec<f64>> {
        let log_odds = outputs.iter().filter_map(|output| match output {
            Output::LogOdds(log_odds) => Some(*log_odds),
            Output::Embedding(_) => None,
        });
        let log_odds: Vec<f64> = log_odds.collect();
        let vector = |index: usize| match outputs[index] {
            Output::Embedding(vector) => &vector[..],
            Output::LogOdds(_) => &[],
        };
        let is_document = |index: &usize| !reference.queries.contains(index);
        let row = |&query: &usize| {
            let documents = (0..outputs.len()).filter(is_document);
            documents.map(|other| Similarity::Dot.of(vector(query), vector(other))).collect()
        };
        let rows = reference.queries.iter().map(row);
        if log_odds.is_empty() { rows.collect() } else { vec![log_odds] }
    };
    let expected =
        similarities(&reference.cases.iter().map(|case| &case.output).collect::<Vec<_>>());
    let found = similarities(&found.iter().collect::<Vec<_>>());
    expected.iter().zip(&found).all(|(expected, found)| {
        let n = expected.len();
        let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
        let mut clear = pairs.filter(|&(i, j)| expected[i] > expected[j] + margin);
        clear.all(|(i, j)| found[i] > found[j])
    })
}

/// A model of either kind.
enum Model {
    Embedder(Embedder),
    Reranker(Reranker),
}

impl Model {
    fn load(checkpoint: &Checkpoint, options: &Options) -> Result<Self, qwen3_engine::Error> {
        match checkpoint.kind() {
            Kind::Embedding => Embedder::from_checkpoint(checkpoint, options).map(Self::Embedder),
            _ => Reranker::from_checkpoint(checkpoint, options).map(Self::Reranker),
        }
    }

    /// The tokens that this program makes of a case, with its own prompts.
    fn tokenize(&self, case: &Case) -> Result<Vec<u32>, qwen3_engine::Error> {
        let tokens = match (self, &case.input) {
            (Self::Embedder(model), CaseInput::Text(text)) => {
                let (text, prompt) = match text.strip_prefix(&official_query_prompt()) {
                    Some(query) => (query, Prompt::Query),
                    None => (&text[..], Prompt::Default),
                };
                model.tokenize([text], &EncodeOptions::default().prompt(prompt))
            }
            (Self::Reranker(model), CaseInput::Pair { instruction, query, document }) => {
                model.tokenize([(query, document)], &instructed(instruction))
            }
            _ => unreachable!("the reference is of the model's kind"),
        };
        Ok(tokens?.remove(0).input_ids)
    }

    fn stages(
        &self,
        sequences: &[&[u32]],
        tokens: &[u32],
    ) -> Result<Vec<Recorded>, qwen3_engine::Error> {
        match self {
            Self::Embedder(model) => model.session().stages(sequences, tokens),
            Self::Reranker(model) => model.session().stages(sequences, tokens),
        }
    }

    /// What users get for these cases in one call.
    fn outputs(&self, cases: &[&Case]) -> Result<Vec<Output>, qwen3_engine::Error> {
        match self {
            Self::Embedder(model) => {
                let ids = cases.iter().map(|case| &case.input_ids[..]);
                let embeddings = model.encode(ids, &EncodeOptions::default())?;
                let outputs = embeddings.into_iter();
                Ok(outputs.map(|embedding| Output::Embedding(embedding.vector)).collect())
            }
            Self::Reranker(model) => cases_by_instruction(model, cases),
        }
    }
}

/// Scores in the order of `cases`; those that share an instruction share a call.
fn cases_by_instruction(
    model: &Reranker,
    cases: &[&Case],
) -> Result<Vec<Output>, qwen3_engine::Error> {
    let mut outputs: Vec<Output> = cases.iter().map(|_| Output::LogOdds(f64::NAN)).collect();
    let parts = |case: &Case| match &case.input {
        CaseInput::Pair { instruction, query, document } => {
            (instruction.clone(), query.clone(), document.clone())
        }
        CaseInput::Text(_) => unreachable!("the reference is of the model's kind"),
    };
    let mut instructions: Vec<String> = cases.iter().map(|case| parts(case).0).collect();
    instructions.sort();
    instructions.dedup();
    for instruction in instructions {
        let of_it = (0..cases.len()).filter(|&index| parts(cases[index]).0 == instruction);
        let of_it: Vec<usize> = of_it.collect();
        let pairs: Vec<(String, String)> = of_it
            .iter()
            .map(|&index| parts(cases[index]))
            .map(|(_, query, document)| (query, document))
            .collect();
        let scores = model.score(pairs, &instructed(&instruction))?;
        for (index, score) in of_it.into_iter().zip(scores) {
            outputs[index] = Output::LogOdds(score.log_odds);
        }
    }
    Ok(outputs)
}

fn instructed(instruction: &str) -> RankOptions {
    RankOptions::default().instruction(instruction)
}

/// How the model cards' queries begin.
fn official_query_prompt() -> String {
    format!("Instruct: {DEFAULT_TASK}\nQuery:")
}
