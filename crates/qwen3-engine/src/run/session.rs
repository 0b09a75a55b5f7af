//! A network on a device with its threads: token ids in, rows out, in the
//! caller's order.

use super::batches::plan;
use super::load::{candidates, load};
use super::memory::{activation_bytes, fits, gpu_batch_tokens, max_tokens, tensor_fits, widest};
use super::turns::Turns;
use crate::device::{self, Device, DeviceId, Fallback, Loaded, Opened, system};
use crate::error::{Error, OptionName};
use crate::files::{Checkpoint, ModelFiles, Source};
use crate::options::Options;
use crate::progress::{CancelToken, Hooks, Progress};
use qwen3::{Config, Dtype, PackedBatch, Recorded, Rows, Storage, head};
use rayon::prelude::*;
use std::fmt;
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::thread;

/// Tokens of a batch for each thread of a processor, where nobody says
/// otherwise. With 2 threads of a Zen 4 and texts of 128 tokens, batches of 256,
/// 512, 1,024, 2,048 and 4,096 gave 284, 300, 223, 245 and 221 tokens/s: larger
/// ones leave the cache between two layers.
const CPU_BATCH_TOKENS_PER_THREAD: usize = 256;
/// Fewer rows keep no matrix product busy, more cost memory.
const CPU_BATCH_TOKENS: RangeInclusive<usize> = 512..=4_096;

/// A network on a device: token ids in, rows out. One thread may own it, drop it and
/// load it again, while [`crate::EmbedderHost`] or [`crate::RerankerHost`] stay.
///
/// It may be shared between threads: batches are computed one after the other.
pub struct Session {
    /// What a processor computes from is mapped from these.
    mapped: Option<ModelFiles>,
    /// Else the passes of several callers would run inside of each other: a
    /// thread that waits for its part of one would begin the next.
    network: Turns<Loaded>,
    config: Config,
    device: Opened,
    fallbacks: Vec<Fallback>,
    storage: Storage,
    max_batch_tokens: usize,
    threads: rayon::ThreadPool,
    /// Whose texts become tokens on these threads; another's batch may be computed meanwhile.
    tokenizing: Turns<()>,
}

impl Session {
    /// Loads the weights of any Qwen3 model on a device.
    ///
    /// # Errors
    /// If the model can't be found, downloaded or read, or the device can't run it.
    pub fn load(model: impl Into<Source>, options: &Options) -> Result<Self, Error> {
        Self::from_checkpoint(&Checkpoint::open(model, &options.hooks)?, options)
    }

    /// Loads the weights of the model whose files these are.
    ///
    /// # Errors
    /// If they have changed since, and as [`Session::load`].
    pub fn load_from(files: &ModelFiles, options: &Options) -> Result<Self, Error> {
        Self::from_checkpoint(&Checkpoint::open_again(files, &options.hooks)?, options)
    }

    /// Loads the weights of an opened model.
    ///
    /// # Errors
    /// If the device can't run it, its files have changed since, or loading is cancelled.
    pub fn from_checkpoint(checkpoint: &Checkpoint, options: &Options) -> Result<Self, Error> {
        for (option, value) in [
            (OptionName::Threads, options.threads),
            (OptionName::MaxBatchTokens, options.max_batch_tokens),
        ] {
            if value == Some(0) {
                let range = "must be at least 1".to_owned();
                return Err(Error::Option { option, value: 0, range });
            }
        }
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or_else(system::usable_cores))
            .thread_name(|index| format!("qwen3-{index}"))
            .build()
            .map_err(|error| Error::Threads { message: error.to_string() })?;
        let weights = &checkpoint.weights;
        let dtype_on = |device: &Device| Ok(candidates(device, weights, options.dtype)?[0].dtype);
        let (device, mut fallbacks) =
            threads.install(|| device::choose(options.device, &dtype_on))?;
        let (network, storage) =
            threads.install(|| load(checkpoint, &device, options, &mut fallbacks))?;
        // A file that is written in place is read in part before it and in part after.
        checkpoint.check_unchanged()?;
        let default = usual_batch_tokens(&device, threads.current_num_threads(), checkpoint);
        // Activations are tensors too.
        let max_tokens = max_tokens(storage.max_tensor_bytes, &checkpoint.config);
        Ok(Self {
            mapped: device.id.is_processor().then(|| checkpoint.files.clone()),
            network: Turns::new(network),
            config: checkpoint.config.clone(),
            device,
            fallbacks,
            storage,
            max_batch_tokens: options.max_batch_tokens.unwrap_or(default).min(max_tokens),
            threads,
            tokenizing: Turns::new(()),
        })
    }

    /// Where it runs.
    pub fn device(&self) -> DeviceId {
        self.device.id
    }

    /// Devices that `auto` passed over, ways to multiply that are wrong on the
    /// device that is used, and why.
    pub fn fallbacks(&self) -> &[Fallback] {
        &self.fallbacks
    }

    /// Precision of the weights in memory.
    pub fn dtype(&self) -> Dtype {
        self.storage.dtype
    }

    /// Tokens that are computed at one time; more are several batches.
    pub fn max_batch_tokens(&self) -> usize {
        self.max_batch_tokens
    }

    /// Tokens that a sequence may have: the model's positions.
    pub fn max_tokens(&self) -> usize {
        self.config.max_position_embeddings
    }

    /// For each sequence of token ids the last row `[C]` of the hidden states,
    /// or all of them `[tokens · C]`.
    ///
    /// # Errors
    /// [`Error::NonFinite`] names the first sequence that has no usable row;
    /// [`Error::FilesChanged`] tells that a file of the weights was written to in its place;
    /// otherwise if an id is out of range, the device fails, or the call is cancelled.
    pub fn rows(
        &self,
        sequences: &[&[u32]],
        rows: Rows,
        hooks: &Hooks,
    ) -> Result<Vec<Vec<f32>>, Error> {
        let lengths: Vec<usize> = sequences.iter().map(|ids| ids.len()).collect();
        let mut results = vec![vec![]; sequences.len()];
        let mut done = 0;
        let report = |texts| {
            hooks.report(Progress::Compute { texts, total_texts: sequences.len() });
        };
        report(0);
        for group in plan(&lengths, self.max_batch_tokens) {
            hooks.check()?;
            let members: Vec<&[u32]> = group.iter().map(|&index| sequences[index]).collect();
            let batch = PackedBatch::new(&members, &self.config)?;
            let mut values = self.forward(&batch, rows, hooks)?.into_iter();
            for &index in &group {
                let n_rows = if rows == Rows::Last { 1 } else { lengths[index] };
                let row: Vec<f32> =
                    values.by_ref().take(n_rows * self.config.hidden_size).collect();
                if !head::are_usable(&row, self.config.hidden_size) {
                    let (device, dtype) = (self.device.id, self.storage.dtype);
                    return Err(Error::NonFinite { input: index, device, dtype });
                }
                results[index] = row;
            }
            done += group.len();
            report(done);
        }
        Ok(results)
    }

    fn forward(&self, batch: &PackedBatch, rows: Rows, hooks: &Hooks) -> Result<Vec<f32>, Error> {
        let network = self.network.take(&hooks.cancel)?;
        self.batch_fits(batch)?;
        self.check_mapped()?;
        let should_stop = || hooks.cancel.is_cancelled();
        let result = self.install(|| network.forward(batch, rows, &should_stop));
        // What a usual batch needs stays; that of a rare long text goes.
        let usual = self.max_batch_tokens as u64 * activation_bytes(&self.config);
        network.shrink_buffers(usual.saturating_mul(2));
        // What was written meanwhile is in the rows, or isn't.
        self.check_mapped()?;
        result
    }

    /// A file that is cut short between this and a read of it still ends the process.
    fn check_mapped(&self) -> Result<(), Error> {
        self.mapped.as_ref().map_or(Ok(()), ModelFiles::check_in_place)
    }

    fn batch_fits(&self, batch: &PackedBatch) -> Result<(), Error> {
        let tokens = batch.input_ids().len() as u64;
        let largest = 4 * tokens * widest(&self.config);
        tensor_fits(self.device.id, self.storage.max_tensor_bytes, largest, "this batch")?;
        let bytes = tokens * activation_bytes(&self.config);
        // A GPU's allocator rounds up, see `gpu_batch_tokens`.
        let bytes = if self.device.id.is_processor() { bytes } else { 2 * bytes };
        fits(&self.device, bytes, "this batch")
    }

    /// Every stage of the forward pass of a packed batch, to compare with other
    /// implementations: the rows of these tokens of the batch, counted over
    /// all sequences. The ids are taken as they are.
    ///
    /// # Errors
    /// If the batch has no such token, an id is out of range, or the device fails.
    pub fn stages<S: AsRef<[u32]>>(
        &self,
        sequences: &[S],
        tokens: &[u32],
    ) -> Result<Vec<Recorded>, Error> {
        let batch = PackedBatch::new(sequences, &self.config)?;
        let n_tokens = batch.input_ids().len();
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= n_tokens) {
            return Err(Error::NoSuchToken { token, n_tokens });
        }
        let network = self.network.take(&CancelToken::default())?;
        self.batch_fits(&batch)?;
        self.install(|| network.stages(&batch, tokens))
    }

    /// Applies `tokenize` to every input, on this session's threads if there are several.
    pub(crate) fn tokenize<I: Sync, T: Send>(
        &self,
        inputs: &[I],
        hooks: &Hooks,
        tokenize: impl Fn(&I) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        let tokenize = |input: &I| {
            hooks.check()?;
            tokenize(input)
        };
        if let [input] = inputs {
            return Ok(vec![tokenize(input)?]);
        }
        let _turn = self.tokenizing.take(&hooks.cancel)?;
        self.install(|| inputs.par_iter().map(tokenize).collect())
    }

    /// Runs `call` on this session's threads.
    fn install<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
        if rayon::current_thread_index().is_none() {
            return self.threads.install(call);
        }
        // A thread of the caller's own pool would do other work of that pool while it
        // waits, such as the next call here: deeper and deeper, or waiting for itself.
        let call = || self.threads.install(call);
        let ended = thread::scope(|scope| scope.spawn(call).join());
        ended.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// What a batch has where nobody says otherwise. The weights have taken their memory before.
fn usual_batch_tokens(device: &Opened, threads: usize, checkpoint: &Checkpoint) -> usize {
    if !device.id.is_processor() {
        let free = device.free_bytes().map(|free| free + device.unused_buffer_bytes());
        return gpu_batch_tokens(free, &checkpoint.config);
    }
    let tokens = CPU_BATCH_TOKENS_PER_THREAD * threads;
    tokens.clamp(*CPU_BATCH_TOKENS.start(), *CPU_BATCH_TOKENS.end())
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("device", &self.device.id)
            .field("storage", &self.storage)
            .field("max_batch_tokens", &self.max_batch_tokens)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
