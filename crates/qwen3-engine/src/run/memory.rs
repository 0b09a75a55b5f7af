//! Whether weights and activations fit, asked before they are allocated.

use crate::device::{Device, DeviceId, Opened, system};
use crate::error::Error;
use qwen3::{Config, Dtype, Storage, Weights};
use std::ops::RangeInclusive;

/// Tokens of a batch on a GPU, at least and at most: it needs more rows than a processor to be
/// busy.
const GPU_BATCH_TOKENS: RangeInclusive<usize> = 1_024..=16_384;
/// Kernels count with 32 bits: in a larger tensor they would begin again at its start.
const MAX_TENSOR_NUMBERS: usize = 1 << 31;

/// Memory that the weights take beside their files: on `cpu` those that are stored
/// as they are wanted stay there, in pages that the system can have back.
pub fn allocated_bytes(
    weights: &Weights,
    device: DeviceId,
    storage: &Storage,
) -> Result<u64, Error> {
    let bytes = weights.tensors()?.into_iter().map(|tensor| {
        let wanted = match tensor.shape {
            [_, columns] => storage.dtype_of(tensor.dtype, *columns),
            _ => Dtype::F32,
        };
        let is_laid_so = tensor.layout == storage.layout_of(&tensor, wanted);
        match device == DeviceId::Cpu && tensor.dtype == wanted && is_laid_so {
            true => 0,
            false => wanted.bytes_of(tensor.shape.iter().product()) as u64,
        }
    });
    Ok(bytes.sum())
}

/// Float32 bytes that exist at the same time for one token, at most: the
/// residual stream and its norm; then q, k, v and the attention, or the MLP.
pub fn activation_bytes(config: &Config) -> u64 {
    let heads = 3 * config.num_attention_heads + 4 * config.num_key_value_heads;
    let widest = (heads * config.head_dim).max(4 * config.intermediate_size);
    4 * (3 * config.hidden_size + widest) as u64
}

/// The same for one token in training: what the way back needs of every layer, and the
/// gradients of one.
#[cfg(feature = "train")]
pub fn training_activation_bytes(config: &Config) -> u64 {
    let heads = 3 * config.num_attention_heads + 3 * config.num_key_value_heads;
    let of_layer = 4 * config.hidden_size + heads * config.head_dim + 3 * config.intermediate_size;
    4 * ((config.num_hidden_layers + 2) * of_layer) as u64
}

/// The most bytes that training takes at one time, where the activations of a micro-batch
/// take so many. For each weight that is trained there are a float32 number, its two
/// moments and its gradient, and in a checkpoint a second time the first three; then what
/// passes compute from.
///
/// # Errors
/// If a weight is stored in no format that is read here.
#[cfg(feature = "train")]
pub fn training_bytes(
    checkpoint: &crate::files::Checkpoint,
    device: DeviceId,
    plan: &qwen3_autodiff::Plan,
    activations: u64,
) -> Result<u64, Error> {
    let (weights, dtype) = (&checkpoint.weights, plan.dtype);
    let copy = if dtype == Dtype::F32 { 0 } else { dtype.bytes_of(1) as u64 };
    let (mut trained, mut beside) = (weights.parameters(), weights.parameters() * copy);
    if let qwen3_autodiff::Method::Lora { rank, targets, .. } = &plan.method {
        let storage = Storage::all(dtype, plan.max_tensor_bytes, plan.strategy);
        (trained, beside) = (0, allocated_bytes(weights, device, &storage)?);
        for tensor in weights.tensors()? {
            let path = tensor.name.strip_suffix(".weight").unwrap_or_default();
            if let [rows, columns] = *tensor.shape
                && targets.iter().any(|target| path.ends_with(target.name()))
            {
                trained += ((rows + columns) * rank) as u64;
                // The sum of both, and what it is rounded to.
                beside += (rows * columns) as u64 * (8 + copy);
            }
        }
    }
    let beside_moments = activations.saturating_add(4 * trained).max(12 * trained);
    Ok(beside_moments.saturating_add(12 * trained + beside))
}

/// Columns of the widest linear layer, and so of the widest activations.
pub fn widest(config: &Config) -> u64 {
    let queries = config.num_attention_heads * config.head_dim;
    config.hidden_size.max(config.intermediate_size).max(queries) as u64
}

/// Bytes of the largest tensor that the device takes and kernels can count the numbers of.
pub fn max_tensor_bytes(device: &Device, dtype: Dtype) -> u64 {
    device.max_tensor_bytes.min(dtype.bytes_of(MAX_TENSOR_NUMBERS) as u64)
}

/// Tokens of the largest batch whose activations are tensors of so many bytes; at least one.
pub fn max_tokens(max_tensor_bytes: u64, config: &Config) -> usize {
    let max_tokens = max_tensor_bytes / (4 * widest(config));
    usize::try_from(max_tokens).unwrap_or(usize::MAX).max(1)
}

/// Tokens of a batch on a GPU, where nobody says otherwise: their activations take at most half
/// of the memory that is free, if that is known. The other half is for what the allocator
/// rounds up (0.9 to 1.6 times as much was measured), and for other programs.
pub fn gpu_batch_tokens(free_bytes: Option<u64>, config: &Config) -> usize {
    let (fewest, most) = (*GPU_BATCH_TOKENS.start(), *GPU_BATCH_TOKENS.end());
    let Some(free_bytes) = free_bytes else { return most };
    let tokens = free_bytes / 2 / activation_bytes(config);
    usize::try_from(tokens).unwrap_or(most).clamp(fewest, most)
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

/// A processor that runs out of memory ends the whole process, and on a GPU work is lost that was
/// begun. So ask first.
///
/// # Errors
/// If the device has less, as far as it tells.
pub fn fits(device: &Opened, needed: u64, what: &str) -> Result<(), Error> {
    let unused = device.unused_buffer_bytes();
    if needed <= unused {
        return Ok(());
    }
    let free = match device.id.is_processor() {
        true => Some(system::available_memory_bytes()),
        false => device.free_bytes(),
    };
    match free.map(|free| free + unused) {
        Some(available) if needed > available => {
            let message =
                format!("{what} needs about {}, {} are free", size(needed), size(available));
            Err(Error::OutOfMemory { device: device.id, message })
        }
        _ => Ok(()),
    }
}

/// As people read it.
fn size(bytes: u64) -> String {
    match bytes >> 30 {
        0 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::GpuApi;
    use crate::files::Checkpoint;
    use crate::progress::Hooks;
    use qwen3::MatmulStrategy;
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
    fn a_gpu_with_little_memory_left_gets_smaller_batches() {
        let mut config = fixture().config;
        // As the 8B models have them; a token takes 246 kB.
        (config.hidden_size, config.intermediate_size) = (4_096, 12_288);
        assert_eq!(gpu_batch_tokens(None, &config), 16_384);
        assert_eq!(gpu_batch_tokens(Some(64 << 30), &config), 16_384);
        assert_eq!(gpu_batch_tokens(Some(3 << 30), &config), 6_553);
        assert_eq!(gpu_batch_tokens(Some(0), &config), 1_024);
    }

    #[test]
    fn a_gpu_is_asked_whether_work_fits() {
        for api in [GpuApi::Cuda, GpuApi::Vulkan, GpuApi::Metal, GpuApi::Wgpu] {
            let Ok(gpu) = Opened::open(DeviceId::Gpu { api, index: 0 }) else { continue };
            assert!(fits(&gpu, 1 << 10, "this").is_ok());
            let result = fits(&gpu, 1 << 60, "this");
            match gpu.free_bytes() {
                Some(_) => assert!(matches!(result, Err(Error::OutOfMemory { .. })), "{result:?}"),
                None => eprintln!("skipped: {} doesn't tell", gpu.id),
            }
        }
    }

    #[test]
    fn sizes_are_told_as_people_read_them() {
        assert_eq!(size(65 << 20), "65 MiB");
        assert_eq!(size(3 << 29), "1.5 GiB");
    }

    /// Numbers of norms, which are always float32.
    fn vectors(weights: &Weights) -> u64 {
        let tensors = weights.tensors().unwrap().into_iter();
        tensors.filter(|t| t.shape.len() == 1).map(|t| t.shape[0] as u64).sum()
    }

    #[test]
    fn weights_that_stay_in_their_file_need_no_memory() {
        let weights = fixture().weights;
        let bytes = |device, dtype| {
            let storage = Storage::all(dtype, u64::MAX, MatmulStrategy::PlainUnits);
            allocated_bytes(&weights, device, &storage).unwrap()
        };
        let (all, vectors) = (weights.parameters(), vectors(&weights));
        assert_eq!(bytes(DeviceId::Cpu, Dtype::Bf16), 4 * vectors);
        assert_eq!(bytes(DeviceId::Cpu, Dtype::F32), 4 * all);
        assert_eq!(bytes(DeviceId::NdArray, Dtype::Bf16), 2 * (all - vectors) + 4 * vectors);
        assert_eq!(bytes(DeviceId::Cpu, Dtype::Q8_0), (all - vectors) / 32 * 34 + 4 * vectors);
    }
}
