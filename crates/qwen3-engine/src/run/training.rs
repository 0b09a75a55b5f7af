//! A model in training: a device with its threads, and the weights that change on it.

use super::memory::{
    fits, max_tensor_bytes, max_tokens, tensor_fits, training_activation_bytes, training_bytes,
    widest,
};
use crate::device::self_check::{self, Extent};
use crate::device::{
    self, Device, DeviceChoice, DeviceId, Fallback, Opened, guarded, open_training, system,
};
use crate::error::Error;
use crate::files::Checkpoint;
use crate::options::Options;
use crate::progress::{CancelToken, Progress};
use qwen3::{Config, Dtype, PackedBatch, Storage};
use qwen3_autodiff::{
    Head, Method, NamedTensor, Objective, OpenTraining, Plan, Step, StepSettings, Trainer,
};
use std::fmt;
use std::ops::RangeInclusive;

/// Where nobody says otherwise, the activations of a micro-batch are about so large.
const USUAL_ACTIVATION_BYTES: u64 = 2 << 30;
/// Fewer tokens keep no matrix product busy, more are no faster.
const MICRO_BATCH_TOKENS: RangeInclusive<u64> = 256..=16_384;

/// What training on a device can end with.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The device, the checkpoint or a batch.
    #[error(transparent)]
    Engine(#[from] Error),
    /// Training itself.
    #[error(transparent)]
    Training(Box<qwen3_autodiff::Error>),
}

/// A device that models are trained on, with the threads that it is used from.
#[derive(Debug)]
pub struct TrainingDevice {
    device: Opened,
    handle: Box<dyn OpenTraining>,
    storage: Storage,
    fallbacks: Vec<Fallback>,
    threads: rayon::ThreadPool,
}

impl TrainingDevice {
    /// Opens the device that the options name, for products in their dtype; `Auto` is
    /// float32.
    ///
    /// # Errors
    /// If it isn't there, can't compute in the dtype, or can't be trusted.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let dtype = options.dtype.or(Dtype::F32);
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or_else(system::usable_cores))
            .thread_name(|index| format!("qwen3-train-{index}"))
            .build()
            .map_err(|error| Error::Threads { message: error.to_string() })?;
        let dtype_on = |device: &Device| match device.dtypes.contains(&dtype) {
            true => Ok(dtype),
            false => Err(unsupported(device, dtype)),
        };
        let (device, fallbacks) = threads.install(|| device::choose(options.device, &dtype_on))?;
        dtype_on(&device)?;
        let extent = match options.device {
            DeviceChoice::Auto => Extent::Networks,
            DeviceChoice::Named(_) => Extent::Products,
        };
        let (strategy, passed_over) =
            threads.install(|| self_check::strategy(&device, dtype, extent))?;
        let handle = guarded(device.id, || open_training(device.id))?;
        // What is trained is float32 whatever it is rounded to.
        let max_tensor_bytes = max_tensor_bytes(&device, Dtype::F32);
        let storage = Storage::all(dtype, max_tensor_bytes, strategy);
        let fallbacks = fallbacks.into_iter().chain(passed_over).collect();
        Ok(Self { device, handle, storage, fallbacks, threads })
    }

    /// Where it is.
    pub fn id(&self) -> DeviceId {
        self.device.id
    }

    /// What linear layers compute in.
    pub fn dtype(&self) -> Dtype {
        self.storage.dtype
    }

    /// What was passed over before it was chosen.
    pub fn fallbacks(&self) -> &[Fallback] {
        &self.fallbacks
    }

    /// Runs `call` on the device's threads.
    pub fn install<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
        self.threads.install(call)
    }

    /// Tokens of a usual micro-batch of this model.
    pub fn usual_micro_batch_tokens(&self, config: &Config) -> usize {
        let tokens = USUAL_ACTIVATION_BYTES / training_activation_bytes(config);
        let tokens = tokens.clamp(*MICRO_BATCH_TOKENS.start(), *MICRO_BATCH_TOKENS.end());
        (tokens as usize).min(max_tokens(self.storage.max_tensor_bytes, config))
    }

    /// Loads what is trained, once it is clear that there is room for it and for
    /// micro-batches of so many tokens.
    ///
    /// # Errors
    /// If the device can't hold that, nothing is left to train, or loading is cancelled.
    pub fn load(
        &self,
        checkpoint: &Checkpoint,
        method: Method,
        head: Head,
        options: &Options,
    ) -> Result<Training<'_>, Failure> {
        let (weights, config) = (&checkpoint.weights, &checkpoint.config);
        let Storage { dtype, max_tensor_bytes, strategy, .. } = self.storage;
        let tokens = options.max_batch_tokens;
        let tokens = tokens.unwrap_or_else(|| self.usual_micro_batch_tokens(config)) as u64;
        let largest = tokens.saturating_mul(4 * widest(config));
        tensor_fits(self.device.id, max_tensor_bytes, largest, "a micro-batch")?;
        let plan = Plan { method, dtype, strategy, max_tensor_bytes, head };
        let activations = tokens.saturating_mul(training_activation_bytes(config));
        let needed = training_bytes(checkpoint, self.device.id, &plan, activations)?;
        fits(&self.device, needed, "training this model")?;
        let mut on_tensor = |tensors, total_tensors| {
            options.hooks.report(Progress::Load { tensors, total_tensors });
            options.hooks.go_on()
        };
        let mut load = || self.handle.load(weights, config, &plan, &mut on_tensor);
        let trainer = self.guarded(&mut load)?;
        checkpoint.check_unchanged()?;
        Ok(Training { on: self, trainer, config: config.clone() })
    }

    fn guarded<T>(
        &self,
        call: impl FnOnce() -> Result<T, qwen3_autodiff::Error>,
    ) -> Result<T, Failure> {
        let result = guarded(self.device.id, || match call() {
            Ok(value) => Ok(Ok(value)),
            Err(qwen3_autodiff::Error::Model(error)) => Err(error.into()),
            Err(error) => Ok(Err(error)),
        });
        result?.map_err(|error| Failure::Training(Box::new(error)))
    }
}

fn unsupported(device: &Device, dtype: Dtype) -> Error {
    let (device, supported) = (device.id, device.dtypes.clone());
    Error::DtypeUnsupported { device, dtype, supported }
}

/// A model in training. Everything runs on its device's threads.
pub struct Training<'d> {
    on: &'d TrainingDevice,
    trainer: Box<dyn Trainer>,
    config: Config,
}

impl Training<'_> {
    /// Sequences of token ids as one batch.
    ///
    /// # Errors
    /// If one is empty, too long, or has an id that the model doesn't have.
    pub fn batch(&self, sequences: &[&[u32]]) -> Result<PackedBatch, Failure> {
        Ok(PackedBatch::new(sequences, &self.config).map_err(Error::from)?)
    }

    /// See [`Trainer::rows`].
    ///
    /// # Errors
    /// If the device fails, or the call is cancelled.
    pub fn rows(&mut self, batch: &PackedBatch, cancel: &CancelToken) -> Result<Vec<f32>, Failure> {
        self.call(|trainer| trainer.rows(batch, &|| cancel.is_cancelled()))
    }

    /// See [`Trainer::step`].
    ///
    /// # Errors
    /// As there.
    pub fn step(
        &mut self,
        batches: &[PackedBatch],
        objective: &Objective,
        settings: &StepSettings,
        cancel: &CancelToken,
    ) -> Result<Step, Failure> {
        self.call(|trainer| trainer.step(batches, objective, settings, &|| cancel.is_cancelled()))
    }

    /// See [`Trainer::trained`].
    ///
    /// # Errors
    /// If the device fails.
    pub fn trained(&mut self) -> Result<Vec<NamedTensor>, Failure> {
        self.call(|trainer| Ok(trainer.trained()))
    }

    /// See [`Trainer::moments`].
    ///
    /// # Errors
    /// If the device fails.
    pub fn moments(&mut self) -> Result<Vec<NamedTensor>, Failure> {
        self.call(|trainer| Ok(trainer.moments()))
    }

    /// See [`Trainer::restore`].
    ///
    /// # Errors
    /// As there.
    pub fn restore(&mut self, tensors: &[NamedTensor]) -> Result<(), Failure> {
        self.call(|trainer| trainer.restore(tensors))
    }

    /// See [`Trainer::tensor`].
    ///
    /// # Errors
    /// If the device fails, or there is no such tensor.
    pub fn tensor(&mut self, name: &str) -> Result<NamedTensor, Failure> {
        self.call(|trainer| Ok(trainer.tensor(name)))
    }

    /// See [`Trainer::head`].
    ///
    /// # Errors
    /// If the device fails.
    pub fn head(&mut self) -> Result<Option<NamedTensor>, Failure> {
        self.call(|trainer| Ok(trainer.head()))
    }

    fn call<T: Send>(
        &mut self,
        call: impl FnOnce(&mut dyn Trainer) -> Result<T, qwen3_autodiff::Error> + Send,
    ) -> Result<T, Failure> {
        let Self { on, trainer, .. } = self;
        on.install(|| on.guarded(|| call(trainer.as_mut())))
    }
}

impl fmt::Debug for Training<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Training").field("device", &self.on.device.id).finish_non_exhaustive()
    }
}
