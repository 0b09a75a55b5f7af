//! Whether weights and activations fit, asked before they are allocated.

use crate::device::{Device, DeviceId, Opened, system};
use crate::error::Error;
use qwen3::{Config, Dtype, Weights};

/// Kernels count with 32 bits: in a larger tensor they would begin again at its start.
const MAX_TENSOR_NUMBERS: u64 = 1 << 31;

/// Memory that the weights take beside their files: on `cpu` those that are stored
/// as they are wanted stay there, in pages that the system can have back.
pub fn allocated_bytes(weights: &Weights, device: DeviceId, dtype: Dtype) -> Result<u64, Error> {
    let tensors = weights.tensors()?.into_iter();
    let converted = tensors.filter(|tensor| device != DeviceId::Cpu || tensor.dtype != dtype);
    let numbers = converted.map(|tensor| tensor.shape.iter().product::<usize>() as u64);
    Ok(numbers.sum::<u64>() * dtype.size_bytes() as u64)
}

/// Float32 bytes that exist at the same time for one token, at most: the
/// residual stream and its norm; then q, k, v and the attention, or the MLP.
pub fn activation_bytes(config: &Config) -> u64 {
    let heads = 3 * config.num_attention_heads + 4 * config.num_key_value_heads;
    let widest = (heads * config.head_dim).max(4 * config.intermediate_size);
    4 * (3 * config.hidden_size + widest) as u64
}

/// Columns of the widest linear layer, and so of the widest activations.
pub fn widest(config: &Config) -> u64 {
    let queries = config.num_attention_heads * config.head_dim;
    config.hidden_size.max(config.intermediate_size).max(queries) as u64
}

/// Bytes of the largest tensor that the device takes and kernels can count the numbers of.
pub fn max_tensor_bytes(device: &Device, dtype: Dtype) -> u64 {
    device.max_tensor_bytes.min(MAX_TENSOR_NUMBERS * dtype.size_bytes() as u64)
}

/// Tokens of the largest batch whose activations are tensors of so many bytes; at least one.
pub fn max_tokens(max_tensor_bytes: u64, config: &Config) -> usize {
    let max_tokens = max_tensor_bytes / (4 * widest(config));
    usize::try_from(max_tokens).unwrap_or(usize::MAX).max(1)
}

/// # Errors
/// If a tensor of so many bytes is larger than `max`.
pub fn tensor_fits(device: DeviceId, max: u64, bytes: u64, what: &str) -> Result<(), Error> {
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

/// A processor that runs out of memory ends the whole process, so ask first. A GPU's
/// driver answers with an error.
///
/// # Errors
/// If the device is the processor, and has less.
pub fn fits(device: &Opened, needed: u64, what: &str) -> Result<(), Error> {
    if !device.id.is_processor() {
        return Ok(());
    }
    let available = system::available_memory_bytes() + device.unused_buffer_bytes();
    if needed <= available {
        return Ok(());
    }
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let message =
        format!("{what} needs about {:.1} GiB, {:.1} GiB are free", gib(needed), gib(available));
    Err(Error::OutOfMemory { device: device.id, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Checkpoint;
    use crate::progress::Hooks;
    use std::path::Path;

    fn fixture() -> Checkpoint {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures");
        Checkpoint::open(Path::new(fixtures).join("tiny-embedding"), &Hooks::default()).unwrap()
    }

    #[test]
    #[cfg(feature = "cpu")]
    fn no_batch_has_a_tensor_that_32_bits_can_not_count() {
        let mut config = fixture().config;
        // As the 8B models have it.
        config.intermediate_size = 12_288;
        let max_bytes = max_tensor_bytes(&Opened::open(DeviceId::Cpu).unwrap(), Dtype::F32);
        let most = max_tokens(max_bytes, &config) as u64;
        assert!(most * 12_288 <= 1 << 31 && (most + 1) * 12_288 > 1 << 31, "{most}");
        let error = tensor_fits(DeviceId::Cpu, max_bytes, 4 * 12_288 * (most + 1), "this batch");
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
}
