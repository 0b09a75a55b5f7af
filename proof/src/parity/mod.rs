//! A model on a device against its reference.

mod model;
mod ranking;
mod rounded;

use crate::compare::{Line, compare, first_difference, worst_of_each_stage};
use crate::difference::Difference;
use crate::error::Error;
use crate::reference::{Case, Output, Reference, Stages};
use crate::tolerance::{Bounds, bounds};
use model::Model;
use qwen3_engine::internals::Recorded;
use qwen3_engine::{Checkpoint, DeviceId, Dtype, Error as EngineError, Options, Source};
use ranking::same_ranking;
use rounded::rounded;
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// Longer cases aren't put together with others.
const MAX_BATCHED_TOKENS: usize = 1024;

/// One model on one device in one dtype.
#[derive(Debug, Serialize)]
pub struct Cell {
    /// The last part of the model's path.
    pub model: String,
    /// The device as it is named on the command line.
    pub device: String,
    /// Precision of the weights on the device.
    pub dtype: String,
    /// What had to hold.
    pub bounds: Bounds,
    /// What was found.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long loading and comparing took.
    pub seconds: f64,
}

/// How a comparison ended.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// Everything was computed.
    Compared(Compared),
    /// The device, or the model on it, failed.
    Failed {
        /// The engine's message.
        error: String,
    },
}

/// A model's numbers against those of the reference.
#[derive(Debug, Serialize)]
pub struct Compared {
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
}

impl Cell {
    /// Whether everything is within bounds.
    pub fn ok(&self) -> bool {
        self.compared().is_some_and(|compared| {
            compared.lines.iter().all(|line| line.ok)
                && compared.same_ranking
                && compared.batch_error <= self.bounds.batch
        })
    }

    /// The numbers, if nothing failed before there were any.
    pub fn compared(&self) -> Option<&Compared> {
        match &self.outcome {
            Outcome::Compared(compared) => Some(compared),
            Outcome::Failed { .. } => None,
        }
    }
}

impl Compared {
    /// The first stage that is out of bounds.
    pub fn first_difference(&self) -> Option<&Line> {
        first_difference(&self.lines)
    }
}

/// Compares `model` with its reference; in blocks with what float32 makes of the same
/// rounded numbers.
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
    let opened = Checkpoint::open(Source::new(model).kind(reference.kind), &options.hooks)?;
    let folder = tempfile::tempdir();
    let folder = folder.map_err(|source| Error::Write { path: std::env::temp_dir(), source })?;
    let of_blocks = match dtype.is_blocks() {
        true => Some(rounded(reference, &opened, dtype, &folder.path().join("rounded"))?),
        false => None,
    };
    let (reference, checkpoint) = of_blocks
        .as_ref()
        .map_or((reference, &opened), |(reference, rounded)| (reference, rounded));
    let bounds = bounds(device, dtype, checkpoint.dtype()?);
    let name = opened.path().and_then(Path::file_name);
    let started = Instant::now();
    let compared =
        Model::load(checkpoint, &options).and_then(|model| compared(reference, &model, &bounds));
    Ok(Cell {
        model: name.map_or(model.to_owned(), |name| name.to_string_lossy().into_owned()),
        device: device.to_string(),
        dtype: dtype.to_string(),
        bounds,
        outcome: match compared {
            Ok(compared) => Outcome::Compared(compared),
            Err(error) => Outcome::Failed { error: error.to_string() },
        },
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn compared(
    reference: &Reference,
    model: &Model,
    bounds: &Bounds,
) -> Result<Compared, EngineError> {
    let mut lines = vec![];
    let mut alone = vec![];
    for case in &reference.cases {
        let tokens = Difference::between_ids(&case.input_ids, &model.tokenize(case)?);
        lines.push(Line::new("tokens", &case.name, tokens, 0.0));
        if !case.rows.is_empty() {
            let found = named(model.stages(&[&case.input_ids], &case.rows)?);
            lines.extend(compare(&case.name, &case.stages, &found, bounds.stage));
        }
        alone.append(&mut model.outputs(&[case])?);
    }
    lines.extend(batched(reference, model, bounds.stage)?);
    let together = model.outputs(&reference.cases.iter().collect::<Vec<_>>())?;

    let of_outputs = |found: &[Output]| -> Vec<Line> {
        let cases = reference.cases.iter().zip(found);
        cases.map(|(case, found)| output_line(case, found, bounds)).collect()
    };
    let outputs = [of_outputs(&alone), of_outputs(&together)].concat();
    let differences = || outputs.iter().map(|line| line.difference);
    let batch_errors =
        alone.iter().zip(&together).map(|(alone, together)| largest_difference(alone, together));
    Ok(Compared {
        worst_cosine: differences().map(|of| of.cosine).fold(1.0, f64::min),
        worst_abs: differences().map(|of| of.max_abs).fold(0.0, f64::max),
        same_ranking: same_ranking(reference, &together, bounds.output),
        batch_error: batch_errors.fold(0.0, f64::max),
        lines: worst_of_each_stage([lines, outputs].concat()),
    })
}

/// The stages of one packed batch of all shorter cases against references
/// that were computed one by one.
fn batched(reference: &Reference, model: &Model, bound: f64) -> Result<Vec<Line>, EngineError> {
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
