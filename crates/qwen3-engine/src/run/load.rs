//! A checkpoint to a network on a device, in a dtype that both take.

use super::memory::{allocated_bytes, fits, max_tensor_bytes, tensor_fits, widest};
use crate::choices::DtypeChoice;
use crate::device::self_check::{self, Extent};
use crate::device::{Device, DeviceChoice, Fallback, Loaded, Opened};
use crate::error::Error;
use crate::files::Checkpoint;
use crate::options::Options;
use crate::progress::Progress;
use qwen3::{Dtype, Storage};

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
    let mut dtypes = candidates(device, weights.dtype()?, options.dtype)?.into_iter().peekable();
    while let Some(dtype) = dtypes.next() {
        fits(device, allocated_bytes(weights, device.id, dtype)?, "the model")?;
        let max_tensor_bytes = max_tensor_bytes(device, dtype);
        let largest = widest(config) * config.hidden_size as u64 * dtype.size_bytes() as u64;
        tensor_fits(device.id, max_tensor_bytes, largest, "the model")?;
        let (strategy, passed_over) = self_check::strategy(device, dtype, extent)?;
        let storage = Storage { dtype, max_tensor_bytes, strategy };
        match device.load(weights, config, storage, &mut on_tensor) {
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

/// The dtypes to try, in order; at least one.
pub fn candidates(
    device: &Device,
    stored: Dtype,
    choice: DtypeChoice,
) -> Result<Vec<Dtype>, Error> {
    let supported = &device.dtypes;
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
        false => Err(Error::DtypeUnsupported {
            device: device.id,
            dtype: choice,
            supported: supported.clone(),
        }),
    }
}
