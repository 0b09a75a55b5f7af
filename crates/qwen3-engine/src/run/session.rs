//! A network on a device with its threads: token ids in, rows out, in the
//! caller's order.

use crate::backend::{self, Backend};
use crate::batches::plan;
use crate::checkpoint::Checkpoint;
use crate::device::{self, DeviceChoice, DeviceId, Fallback};
use crate::error::Error;
use crate::options::{DtypeChoice, Options};
use crate::progress::{CancelToken, Hooks, Progress};
use crate::self_check::{self, Extent};
use crate::system;
use crate::turns::Turns;
use qwen3::{Config, Dtype, MatmulStrategy, PackedBatch, Recorded, Rows, Storage, Weights, head};
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::thread;

/// Tokens of a batch for each thread of a processor, where nobody says
/// otherwise. With 2 threads of a Zen 4 and texts of 128 tokens, batches of 256,
/// 512, 1,024, 2,048 and 4,096 gave 284, 300, 223, 245 and 221 tokens/s: larger
/// ones leave the cache between two layers.
const CPU_BATCH_TOKENS_PER_THREAD: usize = 256;
/// Fewer rows keep no matrix product busy, more cost memory.
const CPU_BATCH_TOKENS: std::ops::RangeInclusive<usize> = 512..=4_096;
/// A GPU needs more rows to be busy.
const GPU_BATCH_TOKENS: usize = 16_384;
/// Kernels count with 32 bits: in a larger tensor they would begin again at its start.
const MAX_TENSOR_NUMBERS: u64 = 1 << 31;

pub(crate) struct Session {
    /// Else the passes of several callers would run inside of each other: a
    /// thread that waits for its part of one would begin the next.
    backend: Turns<Backend>,
    config: Config,
    device: DeviceId,
    fallbacks: Vec<Fallback>,
    storage: Storage,
    max_batch_tokens: usize,
    threads: rayon::ThreadPool,
    /// Whose texts become tokens on these threads; another's batch may be computed meanwhile.
    tokenizing: Turns<()>,
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
        let stored = checkpoint.weights.dtype()?;
        let dtype_on = |device| Ok(candidates(device, stored, options.dtype)?[0]);
        let (device, mut fallbacks) =
            threads.install(|| device::choose(options.device, &dtype_on))?;
        let (backend, storage) =
            threads.install(|| load(checkpoint, device, options, &mut fallbacks))?;
        let on_processor = matches!(device, DeviceId::Cpu | DeviceId::NdArray);
        let for_processor = (CPU_BATCH_TOKENS_PER_THREAD * threads.current_num_threads())
            .clamp(*CPU_BATCH_TOKENS.start(), *CPU_BATCH_TOKENS.end());
        let default = if on_processor { for_processor } else { GPU_BATCH_TOKENS };
        // Activations are tensors too.
        let max_tokens = max_tokens(storage.max_tensor_bytes, &checkpoint.config);
        Ok(Self {
            backend: Turns::new(backend),
            config: checkpoint.config.clone(),
            device,
            fallbacks,
            storage,
            max_batch_tokens: options.max_batch_tokens.unwrap_or(default).min(max_tokens),
            threads,
            tokenizing: Turns::new(()),
        })
    }

    pub fn device(&self) -> DeviceId {
        self.device
    }

    pub fn fallbacks(&self) -> &[Fallback] {
        &self.fallbacks
    }

    pub fn dtype(&self) -> Dtype {
        self.storage.dtype
    }

    pub fn matmul_strategy(&self) -> MatmulStrategy {
        self.storage.strategy
    }

    pub fn max_batch_tokens(&self) -> usize {
        self.max_batch_tokens
    }

    /// Positions of a sequence.
    pub fn max_tokens(&self) -> usize {
        self.config.max_position_embeddings
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

    /// Applies `encode` to every input, on this session's threads if there are several.
    pub fn tokenize<I: Sync, T: Send>(
        &self,
        inputs: &[I],
        hooks: &Hooks,
        encode: impl Fn(&I) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        let encode = |input: &I| {
            hooks.check()?;
            encode(input)
        };
        if let [input] = inputs {
            return Ok(vec![encode(input)?]);
        }
        let _turn = self.tokenizing.take(&hooks.cancel)?;
        self.install(|| inputs.par_iter().map(encode).collect())
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
                if !head::are_usable(&row, self.config.hidden_size) {
                    let (device, dtype) = (self.device, self.storage.dtype);
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
        let turn = self.backend.take(&hooks.cancel)?;
        self.batch_fits(batch)?;
        let should_stop = || hooks.cancel.is_cancelled();
        let result = self.install(|| turn.forward(self.device, batch, rows, &should_stop));
        // What a usual batch needs stays; that of a rare long text goes.
        let usual = self.max_batch_tokens as u64 * activation_bytes(&self.config);
        turn.shrink_buffers(usual.saturating_mul(2));
        result
    }

    fn batch_fits(&self, batch: &PackedBatch) -> Result<(), Error> {
        let tokens = batch.input_ids().len() as u64;
        let largest = 4 * tokens * widest(&self.config);
        tensor_fits(self.device, self.storage.max_tensor_bytes, largest, "this batch")?;
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
        let turn = self.backend.take(&CancelToken::default())?;
        self.batch_fits(&batch)?;
        self.install(|| turn.stages(self.device, &batch, tokens))
    }
}

/// Loads in the first dtype that works, of those that the choice allows.
fn load(
    checkpoint: &Checkpoint,
    device: DeviceId,
    options: &Options,
    fallbacks: &mut Vec<Fallback>,
) -> Result<(Backend, Storage), Error> {
    let max_tensor_bytes = backend::max_tensor_bytes(device);
    let extent = match options.device {
        DeviceChoice::Auto => Extent::Networks,
        DeviceChoice::Named(_) => Extent::Products,
    };
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
            fits(device, allocated_bytes(weights, device, dtype)?, "the model")?;
        }
        let max_tensor_bytes = max_tensor_bytes.min(size_of_numbers(dtype));
        let widest = widest(&checkpoint.config) * checkpoint.config.hidden_size as u64;
        tensor_fits(device, max_tensor_bytes, widest * dtype.size_bytes() as u64, "the model")?;
        let (strategy, passed_over) = self_check::strategy(device, dtype, extent)?;
        let storage = Storage { dtype, max_tensor_bytes, strategy };
        match Backend::load(device, weights, &checkpoint.config, storage, &mut on_tensor) {
            // `auto` meets a weight that float16 can't hold: the next dtype.
            Err(Error::Model(qwen3::Error::Float16Range { .. })) if dtypes.peek().is_some() => {}
            result => {
                fallbacks.extend(passed_over);
                return Ok((result?, storage));
            }
        }
    }
    unreachable!("the last candidate returns")
}

/// Memory that the weights take beside their files: on `cpu` those that are stored
/// as they are wanted stay there, in pages that the system can have back.
fn allocated_bytes(weights: &Weights, device: DeviceId, dtype: Dtype) -> Result<u64, Error> {
    let tensors = weights.tensors()?.into_iter();
    let converted = tensors.filter(|tensor| device != DeviceId::Cpu || tensor.dtype != dtype);
    let numbers = converted.map(|tensor| tensor.shape.iter().product::<usize>() as u64);
    Ok(numbers.sum::<u64>() * dtype.size_bytes() as u64)
}

/// Bytes of the largest tensor that kernels can count the numbers of.
fn size_of_numbers(dtype: Dtype) -> u64 {
    MAX_TENSOR_NUMBERS * dtype.size_bytes() as u64
}

/// Tokens of the largest batch whose activations are tensors of so many bytes; at least one.
fn max_tokens(max_tensor_bytes: u64, config: &Config) -> usize {
    let max_tokens = max_tensor_bytes / (4 * widest(config));
    usize::try_from(max_tokens).unwrap_or(usize::MAX).max(1)
}

/// Columns of the widest linear layer, and so of the widest activations.
fn widest(config: &Config) -> u64 {
    let queries = config.num_attention_heads * config.head_dim;
    config.hidden_size.max(config.intermediate_size).max(queries) as u64
}

/// Whether the device takes a tensor of that size.
fn tensor_fits(device: DeviceId, max: u64, bytes: u64, what: &str) -> Result<(), Error> {
    if bytes <= max {
        return Ok(());
    }
    let message = format!(
        "{what} has a tensor of {} MiB, at most {} MiB are possible here; use another device or shorter texts",
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
    let available = system::available_memory_bytes() + backend::unused_buffer_bytes(device);
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
    use crate::device::DeviceChoice;
    use std::path::Path;

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

    fn fixture() -> Checkpoint {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");
        Checkpoint::open(&Path::new(fixtures).join("tiny-embedding"), None).unwrap()
    }

    #[test]
    fn no_batch_has_a_tensor_that_32_bits_can_not_count() {
        let mut config = fixture().config;
        // As the 8B models have it.
        config.intermediate_size = 12_288;
        let most = max_tokens(size_of_numbers(Dtype::F32), &config) as u64;
        assert!(most * 12_288 <= 1 << 31 && (most + 1) * 12_288 > 1 << 31, "{most}");
        let error = tensor_fits(
            DeviceId::Cuda(0),
            size_of_numbers(Dtype::F32),
            4 * 12_288 * (most + 1),
            "this batch",
        );
        assert!(matches!(error, Err(Error::OutOfMemory { .. })));
    }

    #[test]
    fn weights_that_stay_in_their_file_need_no_memory() {
        let weights = fixture().weights;
        let bytes = |device, dtype| allocated_bytes(&weights, device, dtype).unwrap();
        let all = weights.parameters();
        assert_eq!(bytes(DeviceId::Cpu, Dtype::Bf16), 0);
        assert_eq!(bytes(DeviceId::Cpu, Dtype::F32), 4 * all);
        assert_eq!(bytes(DeviceId::NdArray, Dtype::Bf16), 2 * all);
    }

    #[test]
    #[cfg(feature = "cpu")]
    fn calls_wait_for_their_turn_and_none_runs_inside_of_another() {
        let options = Options { device: DeviceChoice::Named(DeviceId::Cpu), ..Options::default() };
        let session = Session::load(&fixture(), &options).unwrap();
        let hooks = Hooks::default();
        let row = |ids: &[u32], hooks: &Hooks| session.rows(&[ids], Rows::Last, hooks);
        let expected = row(&[1, 2, 3], &hooks).unwrap();
        thread::scope(|scope| {
            let turn = session.backend.take(&hooks.cancel).unwrap();
            let calls = [(); 50].map(|()| scope.spawn(|| row(&[1, 2, 3], &hooks)));
            let cancelled = Hooks::default();
            cancelled.cancel.cancel();
            while session.backend.len() < 1 + calls.len() {
                thread::yield_now();
            }
            assert!(matches!(row(&[4], &cancelled), Err(Error::Cancelled)));
            assert!(calls.iter().all(|call| !call.is_finished()), "none runs inside of a turn");
            drop(turn);
            for call in calls {
                assert_eq!(call.join().unwrap().unwrap(), expected);
            }
        });
    }

    /// Tries again, because tests beside this one share the buffers.
    #[cfg(feature = "cpu")]
    fn check_buffers(mut call: impl FnMut(), max_bytes: u64) {
        let unused = || backend::unused_buffer_bytes(DeviceId::Cpu);
        let few = (0..3_000).any(|_| {
            call();
            thread::sleep(std::time::Duration::from_millis(10));
            unused() <= max_bytes
        });
        assert!(few, "{} of {max_bytes} bytes", unused());
    }

    #[test]
    #[cfg(feature = "cpu")]
    fn a_long_text_keeps_no_memory_and_a_model_that_is_unloaded_none_at_all() {
        let options = Options { device: DeviceChoice::Named(DeviceId::Cpu), ..Options::default() };
        let session = Session::load(&fixture(), &options).unwrap();
        let long: Vec<u32> = (0..3_000).map(|id| id % 600).collect();
        let usual = session.max_batch_tokens as u64 * activation_bytes(&session.config);
        assert!(long.len() as u64 > 4 * session.max_batch_tokens as u64);
        let row = |ids: &[u32]| drop(session.rows(&[ids], Rows::Last, &Hooks::default()).unwrap());
        check_buffers(|| row(&long), 2 * usual);
        drop(session);
        check_buffers(|| (), 0);
    }
}
