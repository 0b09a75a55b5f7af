//! A checkpoint to a network on a device, in a dtype that both take.

use super::memory::{allocated_bytes, fits, max_tensor_bytes, tensor_fits, widest};
use crate::choices::DtypeChoice;
use crate::device::self_check::{self, Extent};
use crate::device::{Device, DeviceChoice, Fallback, Loaded, Opened};
use crate::error::Error;
use crate::files::Checkpoint;
use crate::options::Options;
use crate::progress::Progress;
use qwen3::{Dtype, Storage, Weights};

/// Loads in the first dtype that works, of those that the choice allows.
pub fn load(
    checkpoint: &Checkpoint,
    device: &Opened,
    options: &Options,
    fallbacks: &mut Vec<Fallback>,
) -> Result<(Loaded, Storage), Error> {
    let extent = match options.device {
        DeviceChoice::Auto => Extent::Networks,
        DeviceChoice::Named(_) => Extent::Products,
    };
    let (weights, config) = (&checkpoint.weights, &checkpoint.config);
    let mut on_tensor = |tensors, total_tensors| {
        options.hooks.report(Progress::Load { tensors, total_tensors });
        options.hooks.go_on()
    };
    let mut holdings = candidates(device, weights, options.dtype)?.into_iter().peekable();
    while let Some(Holding { dtype, as_stored }) = holdings.next() {
        let max_tensor_bytes = max_tensor_bytes(device, dtype);
        let (strategy, passed_over) = self_check::strategy(device, dtype, extent)?;
        let layout = device.layout();
        let storage = Storage { dtype, as_stored, layout, max_tensor_bytes, strategy };
        fits(device, allocated_bytes(weights, device.id, &storage)?, "the model")?;
        let largest = widest(config) * dtype.bytes_of(config.hidden_size) as u64;
        tensor_fits(device.id, max_tensor_bytes, largest, "the model")?;
        match device.load(weights, config, storage, &mut on_tensor) {
            // `auto` meets a weight that float16 can't hold: the next dtype.
            Err(Error::Model(qwen3::Error::Float16Range { .. })) if holdings.peek().is_some() => {}
            result => {
                fallbacks.extend(passed_over);
                return Ok((result?, storage));
            }
        }
    }
    unreachable!("the last candidate returns")
}

/// How weights may be held; see [`Storage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    pub dtype: Dtype,
    pub as_stored: Option<Dtype>,
}

/// What to try, in order; at least one.
pub fn candidates(
    device: &Device,
    weights: &Weights,
    choice: DtypeChoice,
) -> Result<Vec<Holding>, Error> {
    let stored = weights.dtype()?;
    let all = |dtype| Holding { dtype, as_stored: None };
    match choice {
        DtypeChoice::Auto if stored.is_blocks() => {
            let numbers = numbers_beside_blocks(device, weights)?;
            Ok(vec![Holding { dtype: stored, as_stored: Some(numbers) }])
        }
        DtypeChoice::Auto => Ok(numbers(device, stored).into_iter().map(all).collect()),
        DtypeChoice::Named(asked) if asked.is_blocks() && asked.is_written() => {
            Ok(vec![all(asked)])
        }
        DtypeChoice::Named(asked) if device.dtypes.contains(&asked) => Ok(vec![all(asked)]),
        DtypeChoice::Named(asked) => {
            let (device, supported) = (device.id, device.dtypes.clone());
            Err(Error::DtypeUnsupported { device, dtype: asked, supported })
        }
    }
}

/// Dtypes of numbers that the device holds, for those that are stored so: the same one, or
/// another of its size, then float32.
fn numbers(device: &Device, stored: Dtype) -> Vec<Dtype> {
    let size = stored.block_bytes();
    let halves = [stored, Dtype::Bf16, Dtype::F16].into_iter();
    let same_size = halves.filter(|dtype| dtype.block_bytes() == size);
    let mut wanted: Vec<Dtype> = same_size.filter(|d| device.dtypes.contains(d)).collect();
    wanted.dedup();
    wanted.push(Dtype::F32);
    wanted.dedup();
    wanted
}

/// What the matrices of a checkpoint become that are no blocks where others are. Float16
/// could be too small for another's numbers, and is passed over.
fn numbers_beside_blocks(device: &Device, weights: &Weights) -> Result<Dtype, Error> {
    let matrices = weights.tensors()?.into_iter().filter(|tensor| tensor.shape.len() == 2);
    let mut stored: Vec<Dtype> =
        matrices.map(|tensor| tensor.dtype).filter(|dtype| !dtype.is_blocks()).collect();
    stored.sort_by_key(|dtype| dtype.name());
    stored.dedup();
    match stored[..] {
        [dtype] if device.dtypes.contains(&dtype) => Ok(dtype),
        _ => Ok(Dtype::F32),
    }
}
