//! Step after step, with looks at held-out data and checkpoints between.

use super::event::{Event, Record};
use super::log::Log;
use super::state::{self, Best, Saved, State};
use super::{Context, Finished, Planned, plot};
use crate::error::Error;
use crate::order::Order;
use crate::output;
use crate::tasks::{Rows, Task};
use qwen3_engine::CancelToken;
use qwen3_engine::internals::training::{
    AdamW, Failure, PackedBatch, Step, StepSettings, Training, plan_batches,
};
use std::collections::BTreeMap;
use std::time::Instant;

/// As PyTorch's.
const EPSILON: f64 = 1e-8;

/// A run between its first step and its last.
pub(crate) struct Steps<'a> {
    context: &'a Context<'a>,
    task: &'a dyn Task,
    planned: &'a Planned,
    training: Training<'a>,
    order: Order,
    log: Log,
    state: State,
    since_checkpoint: Instant,
}

/// Batches of the device's size, and of each row of them the sequence's number.
struct Packed {
    batches: Vec<PackedBatch>,
    order: Vec<usize>,
    tokens: usize,
}

impl<'a> Steps<'a> {
    /// A run before its first step.
    pub fn new(
        context: &'a Context<'a>,
        task: &'a dyn Task,
        planned: &'a Planned,
        training: Training<'a>,
    ) -> Result<Self, Error> {
        let settings = &context.run.settings;
        let seed = (!settings.keep_order).then_some(settings.seed);
        let order = Order::new(task.lengths(), settings.batch_size, seed);
        let log = Log::open(context.folder.path(), context.folder.saved_step())?;
        let state = State::new(planned.identity.clone());
        let since_checkpoint = Instant::now();
        Ok(Self { context, task, planned, training, order, log, state, since_checkpoint })
    }

    /// Takes up a run that was left.
    pub fn resume(&mut self, saved: Saved) -> Result<(), Error> {
        self.training.restore(&saved.tensors)?;
        self.state = saved.state;
        Ok(())
    }

    /// Runs to the last step, or until the measure gets no better.
    ///
    /// # Errors
    /// If the run is cancelled or fails; the last checkpoint stays.
    pub fn run(&mut self) -> Result<(), Error> {
        let steps = self.planned.steps;
        let micro_batch_tokens = self.planned.micro_batch_tokens;
        let done = self.state.step;
        self.tell(&Event::Begin { done, steps, micro_batch_tokens });
        loop {
            if self.state.is_unmeasured {
                self.measure()?;
                self.state.is_unmeasured = false;
            }
            let is_over = self.state.step >= steps || self.is_over();
            if is_over || self.is_checkpoint_due() {
                self.save()?;
            }
            if is_over {
                return Ok(());
            }
            self.step()?;
            let step = self.state.step;
            let every = self.context.run.settings.measure_every;
            self.state.is_unmeasured = step == steps || step.is_multiple_of(every);
        }
    }

    /// The weights become files, and what is of the run alone goes.
    pub fn finish(mut self) -> Result<Finished, Error> {
        let folder = self.context.folder;
        let planned_steps = self.planned.steps;
        let mut kept = self.state.step;
        if let (Some(best), Some(_)) = (self.state.best, self.context.run.settings.patience) {
            if self.state.step < planned_steps {
                self.tell(&Event::StoppedEarly { best_step: best.step });
            }
            let mut tensors = state::load_best(&folder.checkpoints())?;
            tensors.extend(self.training.moments()?);
            self.training.restore(&tensors)?;
            kept = best.step;
        }
        let looks = self.log.records.iter().filter(|record| !record.held_out.is_empty());
        let measured: Vec<Record> = looks.filter(|record| record.step <= kept).cloned().collect();
        let measures = measured.last().map(|record| record.held_out.clone()).unwrap_or_default();
        let Self { context, task, planned, mut training, state, .. } = self;
        let made = output::Made { context, task, planned, state: &state, measured: &measured };
        made.write(&mut training)?;
        state::remove(&folder.checkpoints())?;
        Ok(Finished { steps: state.step, planned_steps, measures })
    }

    fn step(&mut self) -> Result<(), Error> {
        let started = Instant::now();
        let step = self.state.step + 1;
        let learning_rate = self.planned.schedule.at(step);
        let batch = self.task.batch(self.order.examples(step));
        let packed = self.pack(&batch.sequences)?;
        let goal = batch.goal.reordered(&packed.order);
        let settings = self.step_settings(step, learning_rate);
        let objective = self.task.objective(&goal);
        let cancel = &self.context.run.options.hooks.cancel;
        let done = self.training.step(&packed.batches, &objective, &settings, cancel);
        let Step { loss, gradient_norm } = self.ended(step, done)?;
        let seconds = started.elapsed().as_secs_f64();
        self.state.step = step;
        self.state.seconds += seconds;
        self.record(Record {
            loss: Some(loss),
            gradient_norm: Some(gradient_norm),
            learning_rate: Some(learning_rate),
            tokens_per_second: Some(packed.tokens as f64 / seconds),
            ..Record::default()
        })
    }

    fn step_settings(&self, step: u64, learning_rate: f64) -> StepSettings {
        let settings = &self.context.run.settings;
        let adamw = AdamW {
            learning_rate,
            beta_1: settings.betas[0],
            beta_2: settings.betas[1],
            epsilon: EPSILON,
            weight_decay: settings.weight_decay,
            gradient_scale: 1.0,
            step: u32::try_from(step).unwrap_or(u32::MAX),
        };
        StepSettings { adamw, max_gradient_norm: settings.clip }
    }

    /// What a step has given; a run that is cancelled or diverges leaves a checkpoint of
    /// the steps before, whose weights are untouched.
    fn ended<T>(&mut self, step: u64, done: Result<T, Failure>) -> Result<T, Error> {
        let folder = self.context.folder.path().to_owned();
        match done {
            Ok(value) => Ok(value),
            Err(Failure::Engine(qwen3_engine::Error::Cancelled)) => {
                self.save()?;
                Err(Error::Stopped { step: step - 1, folder })
            }
            Err(Failure::Training(source)) => {
                self.save()?;
                Err(Error::Diverged { step, folder, source })
            }
            Err(failure) => Err(failure.into()),
        }
    }

    fn pack(&self, sequences: &[&[u32]]) -> Result<Packed, Error> {
        let lengths: Vec<usize> = sequences.iter().map(|ids| ids.len()).collect();
        let groups = plan_batches(&lengths, self.planned.micro_batch_tokens);
        let batches = groups.iter().map(|group| {
            let members: Vec<&[u32]> = group.iter().map(|&index| sequences[index]).collect();
            self.training.batch(&members)
        });
        let batches = batches.collect::<Result<_, Failure>>()?;
        Ok(Packed { batches, order: groups.concat(), tokens: lengths.iter().sum() })
    }

    /// Looks at the held-out data.
    fn measure(&mut self) -> Result<(), Error> {
        let sequences = self.task.held_out();
        if sequences.is_empty() {
            return Ok(());
        }
        let packed = self.pack(&sequences)?;
        let cancel = self.context.run.options.hooks.cancel.clone();
        let rows = self.rows(&packed, &cancel);
        let rows = self.ended(self.state.step + 1, rows)?;
        let measures = self.task.measures(&rows);
        if let (Some(&(_, measure)), true) =
            (measures.first(), self.context.run.settings.patience.is_some())
        {
            self.compare(measure)?;
        }
        let held_out = measures.into_iter().map(|(name, value)| (name.to_owned(), value));
        let held_out: BTreeMap<String, f64> = held_out.collect();
        self.record(Record { held_out, ..Record::default() })
    }

    fn rows(&mut self, packed: &Packed, cancel: &CancelToken) -> Result<Rows, Failure> {
        let head = self.training.head()?;
        let n = packed.order.len();
        let (mut values, mut width) = (vec![], 0);
        let mut order = packed.order.iter();
        for batch in &packed.batches {
            let of_batch = self.training.rows(batch, cancel)?;
            width = of_batch.len() / batch.n_sequences();
            values.resize(n * width, 0.0);
            for (row, &index) in of_batch.chunks(width).zip(order.by_ref()) {
                values[index * width..(index + 1) * width].copy_from_slice(row);
            }
        }
        Ok(Rows { values, width, head })
    }

    /// Keeps the weights if they are the best so far.
    fn compare(&mut self, measure: f64) -> Result<(), Error> {
        // NaN is no better than anything.
        let is_better = self.state.best.is_none_or(|best| measure > best.measure);
        if !is_better || measure.is_nan() {
            self.state.worse += 1;
            return Ok(());
        }
        state::save_best(&self.context.folder.checkpoints(), self.training.trained()?)?;
        self.state.best = Some(Best { step: self.state.step, measure });
        self.state.worse = 0;
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.context.run.settings.patience.is_some_and(|patience| self.state.worse >= patience)
    }

    fn is_checkpoint_due(&self) -> bool {
        let settings = &self.context.run.settings;
        let step = self.state.step;
        let by_steps = settings.checkpoint_steps;
        by_steps.is_some_and(|steps| step > 0 && step.is_multiple_of(steps))
            || self.since_checkpoint.elapsed().as_secs_f64() >= settings.checkpoint_minutes * 60.0
    }

    /// Writes a checkpoint, and the curve so far.
    fn save(&mut self) -> Result<(), Error> {
        let mut tensors = self.training.trained()?;
        tensors.extend(self.training.moments()?);
        let folder = self.context.folder;
        state::save(&folder.checkpoints(), &mut self.state, tensors)?;
        plot::draw(&self.log.records, &folder.path().join("loss.svg"))?;
        self.since_checkpoint = Instant::now();
        self.tell(&Event::Checkpoint { step: self.state.step });
        Ok(())
    }

    fn record(&mut self, record: Record) -> Result<(), Error> {
        let step = self.state.step;
        let epoch = step as f64 / self.planned.steps_per_epoch as f64;
        let record = Record { step, epoch, ..record };
        self.tell(&Event::Step { record: &record, steps: self.planned.steps });
        self.log.push(record)
    }

    fn tell(&self, event: &Event) {
        (self.context.on_event)(event);
    }
}
