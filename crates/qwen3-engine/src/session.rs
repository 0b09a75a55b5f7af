//! A network on a device with its threads: token ids in, rows out, in the
//! caller's order.

use crate::backend::{self, Backend};
use crate::batches::plan;
use crate::checkpoint::Checkpoint;
use crate::device::{self, DeviceId, Fallback};
use crate::error::Error;
use crate::options::{DtypeChoice, Options};
use crate::progress::{Hooks, Progress};
use crate::system;
use qwen3::{Config, Dtype, PackedBatch, Recorded, Rows, Storage};
use std::ops::ControlFlow;

/// Tokens of a batch for each thread of a processor, where nobody says
/// otherwise. With 2 threads of a Zen 4 and texts of 128 tokens, batches of 256,
/// 512, 1,024, 2,048 and 4,096 gave 284, 300, 223, 245 and 221 tokens/s: larger
/// ones leave the cache between two layers.
const CPU_BATCH_TOKENS_PER_THREAD: usize = 256;
/// Fewer rows keep no matrix product busy, more cost memory.
const CPU_BATCH_TOKENS: std::ops::RangeInclusive<usize> = 512..=4_096;
/// A GPU needs more rows to be busy.
const GPU_BATCH_TOKENS: usize = 16_384;

pub(crate) struct Session {
    backend: Backend,
    config: Config,
    device: DeviceId,
    fallbacks: Vec<Fallback>,
    dtype: Dtype,
    max_batch_tokens: usize,
    max_tensor_bytes: u64,
    threads: rayon::ThreadPool,
}

impl Session {
    pub fn load(checkpoint: &Checkpoint, options: &Options) -> Result<Self, Error> {
        for (option, value) in
            [("threads", options.threads), ("max_batch_tokens", options.max_batch_tokens)]
        {
            if value == Some(0) {
                let range = "must be at least 1".to_owned();
                return Err(Error::Option { option, value: 0, range });
            }
        }
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.unwrap_or_else(system::usable_cores))
            .thread_name(|index| format!("qwen3-{index}"))
            .build()
            .map_err(|source| Error::Threads { source })?;
        let (device, fallbacks) = threads.install(|| device::choose(options.device))?;
        let max_tensor_bytes = backend::max_tensor_bytes(device);
        let (backend, dtype) =
            threads.install(|| load(checkpoint, device, max_tensor_bytes, options))?;
        let on_processor = matches!(device, DeviceId::Cpu | DeviceId::NdArray);
        let for_processor = (CPU_BATCH_TOKENS_PER_THREAD * threads.current_num_threads())
            .clamp(*CPU_BATCH_TOKENS.start(), *CPU_BATCH_TOKENS.end());
        let default = if on_processor { for_processor } else { GPU_BATCH_TOKENS };
        // Activations are tensors too.
        let max_tokens = max_tensor_bytes / (4 * widest(&checkpoint.config));
        let max_tokens = usize::try_from(max_tokens).unwrap_or(usize::MAX).max(1);
        Ok(Self {
            backend,
            config: checkpoint.config.clone(),
            device,
            fallbacks,
            dtype,
            max_batch_tokens: options.max_batch_tokens.unwrap_or(default).min(max_tokens),
            max_tensor_bytes,
            threads,
        })
    }

    pub fn device(&self) -> DeviceId {
        self.device
    }

    pub fn fallbacks(&self) -> &[Fallback] {
        &self.fallbacks
    }

    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    pub fn max_batch_tokens(&self) -> usize {
        self.max_batch_tokens
    }

    /// Positions of a sequence.
    pub fn max_tokens(&self) -> usize {
        self.config.max_position_embeddings
    }

    /// Runs `call` on this session's threads.
    pub fn install<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
        self.threads.install(call)
    }

    /// For each sequence its last row `[C]`, or all of its rows `[tokens · C]`.
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
            hooks.report(Progress::Embed { texts, total_texts: sequences.len() });
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
                if !row.iter().all(|x| x.is_finite()) {
                    let (device, dtype) = (self.device, self.dtype);
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
        self.batch_fits(batch)?;
        let should_stop = || hooks.cancel.is_cancelled();
        self.install(|| self.backend.forward(self.device, batch, rows, &should_stop))
    }

    fn batch_fits(&self, batch: &PackedBatch) -> Result<(), Error> {
        let tokens = batch.input_ids().len() as u64;
        let largest = 4 * tokens * widest(&self.config);
        tensor_fits(self.device, self.max_tensor_bytes, largest, "this batch")?;
        match self.device {
            DeviceId::Cpu | DeviceId::NdArray => {
                fits(self.device, tokens * activation_bytes(&self.config), "this batch")
            }
            _ => Ok(()),
        }
    }

    /// Rows of every stage of one forward pass, for comparison with other implementations.
    pub fn stages<S: AsRef<[u32]>>(
        &self,
        sequences: &[S],
        tokens: &[u32],
    ) -> Result<Vec<Recorded>, Error> {
        let batch = PackedBatch::new(sequences, &self.config)?;
        let n_tokens = batch.input_ids().len();
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= n_tokens) {
            let range = format!("the batch has {n_tokens} tokens");
            return Err(Error::Option { option: "tokens", value: token as usize, range });
        }
        self.batch_fits(&batch)?;
        self.install(|| self.backend.stages(self.device, &batch, tokens))
    }
}

/// Loads in the first dtype that works, of those that the choice allows.
fn load(
    checkpoint: &Checkpoint,
    device: DeviceId,
    max_tensor_bytes: u64,
    options: &Options,
) -> Result<(Backend, Dtype), Error> {
    let weights = &checkpoint.weights;
    let mut on_tensor = |tensors, total_tensors| {
        options.hooks.report(Progress::Load { tensors, total_tensors });
        match options.hooks.cancel.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let mut dtypes = candidates(device, weights.dtype()?, options.dtype)?.into_iter().peekable();
    while let Some(dtype) = dtypes.next() {
        if matches!(device, DeviceId::Cpu | DeviceId::NdArray) {
            fits(device, weights.parameters() * dtype.size_bytes() as u64, "the model")?;
        }
        let widest = widest(&checkpoint.config) * checkpoint.config.hidden_size as u64;
        tensor_fits(device, max_tensor_bytes, widest * dtype.size_bytes() as u64, "the model")?;
        let storage = Storage { dtype, max_tensor_bytes };
        match Backend::load(device, weights, &checkpoint.config, storage, &mut on_tensor) {
            // `auto` meets a weight that float16 can't hold: the next dtype.
            Err(Error::Model(qwen3::Error::Float16Range { .. })) if dtypes.peek().is_some() => {}
            result => return Ok((result?, dtype)),
        }
    }
    unreachable!("the last candidate returns")
}

/// Columns of the widest linear layer, and so of the widest activations.
fn widest(config: &Config) -> u64 {
    let queries = config.num_attention_heads * config.head_dim;
    config.hidden_size.max(config.intermediate_size).max(queries) as u64
}

/// Whether the driver takes a tensor of that size.
fn tensor_fits(device: DeviceId, max: u64, bytes: u64, what: &str) -> Result<(), Error> {
    if bytes <= max {
        return Ok(());
    }
    let message = format!(
        "{what} has a tensor of {} MiB, its driver allows {} MiB; use another device or shorter texts",
        bytes >> 20,
        max >> 20
    );
    Err(Error::OutOfMemory { device, message })
}

/// The dtypes to try, in order; at least one.
fn candidates(device: DeviceId, stored: Dtype, choice: DtypeChoice) -> Result<Vec<Dtype>, Error> {
    let supported = backend::dtypes(device)?;
    let asked = match choice {
        DtypeChoice::Auto => {
            let halves = [stored, Dtype::Bf16, Dtype::F16].into_iter();
            let same_size = halves.filter(|dtype| dtype.size_bytes() == stored.size_bytes());
            let mut wanted: Vec<Dtype> = same_size.filter(|d| supported.contains(d)).collect();
            wanted.dedup();
            wanted.push(Dtype::F32);
            wanted.dedup();
            return Ok(wanted);
        }
        named => named.or(stored),
    };
    match supported.contains(&asked) {
        true => Ok(vec![asked]),
        false => Err(Error::DtypeUnsupported { device, dtype: choice, supported }),
    }
}

/// Float32 bytes that exist at the same time for one token, at most: the
/// residual stream and its norm; then q, k, v and the attention, or the MLP.
fn activation_bytes(config: &Config) -> u64 {
    let heads = 3 * config.num_attention_heads + 4 * config.num_key_value_heads;
    let widest = (heads * config.head_dim).max(4 * config.intermediate_size);
    4 * (3 * config.hidden_size + widest) as u64
}

/// A processor that runs out of memory ends the whole process, so ask first.
fn fits(device: DeviceId, needed: u64, what: &str) -> Result<(), Error> {
    let available = system::available_memory_bytes();
    if needed <= available {
        return Ok(());
    }
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let message =
        format!("{what} needs about {:.1} GiB, {:.1} GiB are free", gib(needed), gib(available));
    Err(Error::OutOfMemory { device, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(feature = "cpu", feature = "ndarray"))]
    fn auto_keeps_the_checkpoints_dtype_where_the_device_can() {
        let auto = |device, stored| candidates(device, stored, DtypeChoice::Auto).unwrap();
        assert_eq!(auto(DeviceId::Cpu, Dtype::Bf16)[0], Dtype::Bf16);
        assert_eq!(auto(DeviceId::Cpu, Dtype::F16)[0], Dtype::F16);
        assert_eq!(auto(DeviceId::Cpu, Dtype::F32), [Dtype::F32]);
        assert_eq!(auto(DeviceId::NdArray, Dtype::Bf16), [Dtype::F32]);
        let refused = candidates(DeviceId::NdArray, Dtype::Bf16, DtypeChoice::Bf16).unwrap_err();
        let expected = "device `ndarray` can't hold bf16 weights, only f32";
        assert_eq!(refused.to_string(), expected);
    }
}
