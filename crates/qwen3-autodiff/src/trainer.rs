//! The seam between what training computes and who asks for it, and one step of it.

use crate::error::Error;
use crate::head::log_odds;
use crate::loading::Loading;
use crate::model::Model;
use crate::objective::Objective;
use crate::parameters::{IntoScalar, Leaves, Sums, ToHost};
use crate::plan::Plan;
use burn::tensor::{Tensor, TensorData};
use burn_autodiff::Autodiff;
use qwen3::stages::Observer;
use qwen3::{Config, OnTensor, PackedBatch, Rows, Weights, whole};
use qwen3_kernels::{AdamW, Gradients};
use std::fmt::Debug;

/// A device on which models are trained.
pub trait OpenTraining: Debug + Send + Sync {
    /// Loads a checkpoint for training.
    ///
    /// # Errors
    /// As [`qwen3::Qwen3::load`]; if nothing is left to train.
    fn load(
        &self,
        weights: &Weights,
        config: &Config,
        plan: &Plan,
        on_tensor: OnTensor,
    ) -> Result<Box<dyn Trainer>, Error>;
}

/// A model in training.
pub trait Trainer: Debug + Send {
    /// The pooled rows of a batch as the model is now, `[B, C]` row after row.
    ///
    /// # Errors
    /// [`qwen3::Error::Device`] if the device fails, [`qwen3::Error::Stopped`] once
    /// `should_stop` says so.
    fn rows(&self, batch: &PackedBatch, should_stop: &dyn Fn() -> bool) -> Result<Vec<f32>, Error>;

    /// Makes the loss over all sequences of these batches smaller by one step. Sequences are
    /// numbered over all batches.
    ///
    /// # Errors
    /// As [`Trainer::rows`], and [`Error::Diverged`]; the weights are then as before.
    fn step(
        &mut self,
        batches: &[PackedBatch],
        objective: &Objective,
        settings: &StepSettings,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Step, Error>;

    /// The loss, and the gradient of each trained tensor; nothing changes.
    ///
    /// # Errors
    /// As [`Trainer::rows`].
    fn gradients(
        &self,
        batches: &[PackedBatch],
        objective: &Objective,
    ) -> Result<(f64, Vec<NamedTensor>), Error>;

    /// What is trained: names as in the checkpoint or, of adapters, `….lora_A.weight`.
    fn trained(&self) -> Vec<NamedTensor>;

    /// The optimiser's means, named `first.…` and `second.…`.
    fn moments(&self) -> Vec<NamedTensor>;

    /// Takes up what [`Trainer::trained`] and [`Trainer::moments`] gave.
    ///
    /// # Errors
    /// If a tensor is missing or of another size.
    fn restore(&mut self, tensors: &[NamedTensor]) -> Result<(), Error>;

    /// The names of the network's tensors.
    fn names(&self) -> Vec<String>;

    /// The rows that make a score, as they are now: those of `yes` and `no`, the one of `yes`
    /// alone, or `score.weight`. A tied head's have the name of the table that they are of.
    /// None for embeddings.
    fn head(&self) -> Option<NamedTensor>;

    /// A tensor of the network as it is now, in float32 and with adapters merged.
    ///
    /// # Panics
    /// If there is none of this name.
    fn tensor(&self, name: &str) -> NamedTensor;
}

/// A tensor on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, row after row.
    pub values: Vec<f32>,
}

/// How a step is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSettings {
    /// The optimiser; its `gradient_scale` is set by the step.
    pub adamw: AdamW,
    /// Gradients beyond this norm are scaled down to it; infinity leaves them.
    pub max_gradient_norm: f64,
}

/// What a step has done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The loss before it.
    pub loss: f64,
    /// The gradient's norm before it was clipped.
    pub gradient_norm: f64,
}

/// The device as one that models are trained on.
pub fn open_training<B: Gradients>(device: B::Device) -> Box<dyn OpenTraining> {
    Box::new(DeviceOf::<B>(device))
}

#[derive(Debug)]
struct DeviceOf<B: Gradients>(B::Device);

impl<B: Gradients> OpenTraining for DeviceOf<B> {
    fn load(
        &self,
        weights: &Weights,
        config: &Config,
        plan: &Plan,
        on_tensor: OnTensor,
    ) -> Result<Box<dyn Trainer>, Error> {
        let device = &self.0;
        let (roles, parameters) = Default::default();
        let loading = Loading::<B> { weights, config, plan, device, on_tensor, roles, parameters };
        Ok(Box::new(loading.model()?))
    }
}

impl<B: Gradients> Trainer for Model<B> {
    fn rows(&self, batch: &PackedBatch, should_stop: &dyn Fn() -> bool) -> Result<Vec<f32>, Error> {
        let observer = &mut Observer::StopIf(should_stop);
        whole::<B, _, _>(|| Ok(self.network()?.forward(batch, Rows::Last, observer)?.into_values()))
    }

    fn step(
        &mut self,
        batches: &[PackedBatch],
        objective: &Objective,
        settings: &StepSettings,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Step, Error> {
        whole::<B, _, _>(|| {
            let (loss, sums) = self.loss_and_gradients(batches, objective, should_stop)?;
            let gradient_norm = sums.norm()?;
            let gradient_scale = match gradient_norm > settings.max_gradient_norm {
                // As PyTorch's clip_grad_norm_.
                true => settings.max_gradient_norm / (gradient_norm + 1e-6),
                false => 1.0,
            };
            sums.apply(&mut self.parameters, AdamW { gradient_scale, ..settings.adamw });
            // So that what is lost of it is lost before this ends.
            B::sync(&self.parameters[0].value.device())
                .map_err(|error| qwen3::Error::Device { message: error.to_string() })?;
            Ok(Step { loss, gradient_norm })
        })
    }

    fn gradients(
        &self,
        batches: &[PackedBatch],
        objective: &Objective,
    ) -> Result<(f64, Vec<NamedTensor>), Error> {
        let (loss, sums) = self.loss_and_gradients(batches, objective, &|| false)?;
        Ok((loss, sums.named(&self.parameters)))
    }

    fn trained(&self) -> Vec<NamedTensor> {
        self.parameters.iter().map(|parameter| parameter.named("", &parameter.value)).collect()
    }

    fn moments(&self) -> Vec<NamedTensor> {
        let moments = self.parameters.iter().flat_map(|parameter| {
            [("first.", &parameter.moments.first), ("second.", &parameter.moments.second)]
                .map(|(which, values)| parameter.named(which, values))
        });
        moments.collect()
    }

    fn restore(&mut self, tensors: &[NamedTensor]) -> Result<(), Error> {
        for parameter in &mut self.parameters {
            let name = &parameter.name;
            let device = parameter.value.device();
            let n = parameter.value.dims()[0];
            let saved = |which: &str| {
                let name = format!("{which}{name}");
                let found = tensors.iter().find(|tensor| tensor.name == name);
                let found = found.filter(|tensor| tensor.values.len() == n);
                let found = found.ok_or(Error::State { name, values: n })?;
                Ok::<_, Error>(Tensor::<B, 1>::from_data(
                    TensorData::new(found.values.clone(), [n]),
                    &device,
                ))
            };
            let (value, first, second) = (saved("")?, saved("first.")?, saved("second.")?);
            parameter.value = value;
            parameter.moments.first = first;
            parameter.moments.second = second;
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.names().map(str::to_owned).collect()
    }

    fn head(&self) -> Option<NamedTensor> {
        let (name, rows) = self.head_rows()?;
        let (name, shape) = (name.to_owned(), rows.dims().to_vec());
        Some(NamedTensor { name, shape, values: rows.into_values() })
    }

    fn tensor(&self, name: &str) -> NamedTensor {
        let (shape, values) = self.merged(name).expect("a tensor of the network");
        NamedTensor { name: name.to_owned(), shape, values: values.into_values() }
    }
}

impl<B: Gradients> Model<B> {
    fn loss_and_gradients(
        &self,
        batches: &[PackedBatch],
        objective: &Objective,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<(f64, Sums<B>), Error> {
        let mut sums = Sums::new(&self.parameters);
        if let [batch] = batches {
            let mut leaves = Leaves::new(&self.parameters);
            let network = self.differentiable_network(&mut leaves)?;
            let rows = network.forward(batch, Rows::Last, &mut Observer::StopIf(should_stop))?;
            let loss = self.loss(objective, rows, &mut leaves);
            let value = finite(loss.clone().inner().into_scalar_f32())?;
            sums.backward(loss, leaves);
            return Ok((value, sums));
        }
        let (loss, of_rows) = self.gradients_of_rows(batches, objective, &mut sums, should_stop)?;
        let mut first = 0;
        for batch in batches {
            let mut leaves = Leaves::new(&self.parameters);
            let network = self.differentiable_network(&mut leaves)?;
            let rows = network.forward(batch, Rows::Last, &mut Observer::StopIf(should_stop))?;
            let of_rows = of_rows.clone().narrow(0, first, batch.n_sequences());
            first += batch.n_sequences();
            // The gradient of this sum with respect to `rows` is `of_rows`.
            sums.backward((rows * Tensor::from_inner(of_rows)).sum(), leaves);
        }
        Ok((loss, sums))
    }

    /// The loss, and its gradient with respect to every row of the step, `[N, C]`.
    fn gradients_of_rows(
        &self,
        batches: &[PackedBatch],
        objective: &Objective,
        sums: &mut Sums<B>,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<(f64, Tensor<B, 2>), Error> {
        let network = self.network()?;
        let rows = batches
            .iter()
            .map(|batch| network.forward(batch, Rows::Last, &mut Observer::StopIf(should_stop)));
        let rows = Tensor::cat(rows.collect::<Result<Vec<_>, _>>()?, 0);
        let rows = Tensor::<Autodiff<B>, 2>::from_inner(rows).require_grad();
        let mut leaves = Leaves::new(&self.parameters);
        let loss = self.loss(objective, rows.clone(), &mut leaves);
        let value = finite(loss.clone().inner().into_scalar_f32())?;
        let of_rows = sums.backward_to(loss, leaves, &rows);
        Ok((value, of_rows))
    }

    fn loss(
        &self,
        objective: &Objective,
        rows: Tensor<Autodiff<B>, 2>,
        leaves: &mut Leaves<B>,
    ) -> Tensor<Autodiff<B>, 1> {
        objective.loss(rows, |rows| log_odds(rows, self.differentiable_head(leaves)))
    }
}

fn finite(loss: f32) -> Result<f64, Error> {
    let value = f64::from(loss);
    match value.is_finite() {
        true => Ok(value),
        false => Err(Error::Diverged { what: "loss", value }),
    }
}
