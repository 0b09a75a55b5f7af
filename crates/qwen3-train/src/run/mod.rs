//! A run from its files to its results.

mod event;
mod folder;
mod log;
mod plot;
mod state;
mod steps;

pub use event::{Event, OnEvent, Record};

use crate::error::Error;
use crate::output;
use crate::schedule::Schedule;
use crate::settings::Settings;
use crate::tasks::{Distil, DistilData, Embedding, LabelData, PairData, Reranker, Task};
use folder::OutFolder;
use qwen3_engine::internals::training::{TrainingDevice, Weights, head, weights};
use qwen3_engine::{Checkpoint, Kind, Options, Source};
use serde_json::{Value, json};
pub(crate) use state::State;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use steps::Steps;
use xxhash_rust::xxh3::Xxh3;

/// A model, where its results go, and how it is trained.
#[derive(Clone, Debug)]
pub struct Run {
    /// The model to begin with.
    pub model: Source,
    /// The folder of results, which has the run's checkpoints too.
    pub out: PathBuf,
    /// How it is trained.
    pub settings: Settings,
    /// Device, dtype, threads, the longest text in tokens, and what cancels the run.
    pub options: Options,
}

/// What a run has come to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finished {
    /// Steps that were done.
    pub steps: u64,
    /// Steps that were planned; fewer are done if the measure gets no better.
    pub planned_steps: u64,
    /// The last measures of held-out data; those of the weights that were kept.
    pub measures: BTreeMap<String, f64>,
}

/// What data is read with.
pub(crate) struct Reading<'a> {
    pub checkpoint: &'a Checkpoint,
    pub device: &'a TrainingDevice,
    pub options: &'a Options,
    on_event: OnEvent<'a>,
}

impl Reading<'_> {
    pub fn check_cancelled(&self) -> Result<(), Error> {
        match self.options.hooks.cancel.is_cancelled() {
            true => Err(qwen3_engine::Error::Cancelled.into()),
            false => Ok(()),
        }
    }

    pub fn tell(&self, path: &Path, rows: usize) {
        (self.on_event)(&Event::Read { path, rows });
    }
}

impl Run {
    /// A run on any model.
    pub fn new(
        model: impl Into<Source>,
        out: impl Into<PathBuf>,
        settings: Settings,
        options: Options,
    ) -> Self {
        Self { model: model.into(), out: out.into(), settings, options }
    }

    /// Teaches an embedding model the vectors of another one.
    ///
    /// # Errors
    /// If data or options are wrong, the device fails, something can't be written, or the
    /// run is cancelled: it then goes on from its checkpoint when it is called again.
    pub fn distil(&self, data: &DistilData, on_event: OnEvent) -> Result<Finished, Error> {
        let read = |reading: &Reading| Distil::read(data, &self.settings, reading);
        self.train(&[Kind::Embedding], read, on_event)
    }

    /// Teaches an embedding model which texts belong together.
    ///
    /// # Errors
    /// As [`Run::distil`].
    pub fn embedding(&self, data: &PairData, on_event: OnEvent) -> Result<Finished, Error> {
        let read = |reading: &Reading| Embedding::read(data, &self.settings, reading);
        self.train(&[Kind::Embedding], read, on_event)
    }

    /// Teaches a reranker which documents answer a query.
    ///
    /// # Errors
    /// As [`Run::distil`].
    pub fn reranker(&self, data: &LabelData, on_event: OnEvent) -> Result<Finished, Error> {
        let kinds = [Kind::Reranker, Kind::SequenceClassification];
        self.train(&kinds, |reading: &Reading| Reranker::read(data, reading), on_event)
    }

    fn train<T: Task>(
        &self,
        kinds: &[Kind],
        read: impl FnOnce(&Reading) -> Result<T, Error>,
        on_event: OnEvent,
    ) -> Result<Finished, Error> {
        let Self { settings, options, .. } = self;
        settings.check()?;
        let checkpoint = Checkpoint::open(&self.model, &options.hooks)?;
        check_kind(&checkpoint, kinds)?;
        let folder = OutFolder::open(&self.out, &checkpoint, settings)?;
        output::check_head(&checkpoint, settings)?;
        let device = TrainingDevice::open(options)?;
        let reading = Reading { checkpoint: &checkpoint, device: &device, options, on_event };
        let task = read(&reading)?;
        let planned = Planned::new(self, &task, &checkpoint, &device)?;
        let saved = folder.saved(&planned.identity)?;
        let options = options.clone().max_batch_tokens(planned.micro_batch_tokens);
        let training = device.load(&checkpoint, settings.method(), head(&checkpoint)?, &options)?;
        let run = Context { run: self, checkpoint: &checkpoint, folder: &folder, on_event };
        let mut steps = Steps::new(&run, &task, &planned, training)?;
        if let Some(saved) = saved {
            steps.resume(saved)?;
        }
        steps.run()?;
        steps.finish()
    }
}

/// # Errors
/// If the model is for something else.
fn check_kind(checkpoint: &Checkpoint, kinds: &[Kind]) -> Result<(), Error> {
    if kinds.contains(&checkpoint.kind()) {
        return Ok(());
    }
    let model = qwen3_engine::internals::training::name(checkpoint).to_owned();
    let (found, wanted) = (checkpoint.kind(), kinds[0]);
    Err(qwen3_engine::Error::WrongKind { model, found, wanted }.into())
}

/// What all parts of a run know.
pub(crate) struct Context<'a> {
    pub run: &'a Run,
    pub checkpoint: &'a Checkpoint,
    pub folder: &'a OutFolder,
    pub on_event: OnEvent<'a>,
}

/// What follows from the settings once model and data are known.
#[derive(Debug)]
pub(crate) struct Planned {
    pub steps: u64,
    pub steps_per_epoch: u64,
    pub micro_batch_tokens: usize,
    pub schedule: Schedule,
    /// All that decides the run's numbers.
    pub identity: Value,
}

impl Planned {
    fn new(
        run: &Run,
        task: &dyn Task,
        checkpoint: &Checkpoint,
        device: &TrainingDevice,
    ) -> Result<Self, Error> {
        let settings = &run.settings;
        let steps_per_epoch = (task.lengths().len().div_ceil(settings.batch_size)) as u64;
        let steps = settings.steps(steps_per_epoch);
        let schedule = Schedule::new(settings.learning_rate, settings.warm_up, steps);
        if settings.patience.is_some() && task.held_out().is_empty() {
            return Err(Error::NothingHeldOut);
        }
        let usual = || device.usual_micro_batch_tokens(checkpoint.config());
        let micro_batch_tokens = settings.micro_batch_tokens.unwrap_or_else(usual);
        let planned =
            Self { steps, steps_per_epoch, micro_batch_tokens, schedule, identity: json!({}) };
        let identity = planned.identity(settings, task, device, checksum(weights(checkpoint))?);
        Ok(Self { identity, ..planned })
    }

    /// All that decides the run's numbers.
    fn identity(
        &self,
        settings: &Settings,
        task: &dyn Task,
        device: &TrainingDevice,
        model: String,
    ) -> Value {
        let files = task.files().iter().map(|file| (file.role, file.checksum.clone()));
        let lora = settings.lora.as_ref().map(|lora| {
            let targets: Vec<_> = lora.targets.iter().map(ToString::to_string).collect();
            json!({"rank": lora.rank, "alpha": lora.alpha, "targets": targets})
        });
        let watched = settings.patience.map(|patience| (patience, settings.measure_every));
        json!({
            "task": task.name(),
            "task_settings": task.settings(),
            "model": model,
            "data": files.collect::<BTreeMap<_, _>>(),
            "seed": settings.seed,
            "keep_order": settings.keep_order,
            "batch_size": settings.batch_size,
            "micro_batch_tokens": self.micro_batch_tokens,
            "steps": self.steps,
            "learning_rate": settings.learning_rate,
            "warm_up": self.schedule.warm_up(),
            "weight_decay": settings.weight_decay,
            "betas": settings.betas,
            "clip": settings.clip,
            "lora": lora,
            "patience": watched,
            "device": device.id().to_string(),
            "dtype": device.dtype().to_string(),
        })
    }
}

/// A number that other weights don't have.
fn checksum(weights: &Weights) -> Result<String, Error> {
    let mut hash = Xxh3::new();
    for tensor in weights.tensors().map_err(qwen3_engine::Error::from)? {
        hash.update(tensor.name.as_bytes());
        let data = weights.tensor(tensor.name, tensor.shape, tensor.dtype);
        hash.update(data.map_err(qwen3_engine::Error::from)?.as_bytes());
    }
    Ok(format!("{:016x}", hash.digest()))
}
