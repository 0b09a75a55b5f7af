//! Whether a GPU computes what the CPU computes, on a network of generated
//! weights: seconds, no download. Drivers that answer wrong without an error
//! are common enough that `auto` trusts none before this.

use crate::backend::{self, Backend};
use crate::device::DeviceId;
use crate::error::Error;
use crate::similarity::Similarity;
use qwen3::{Config, Dtype, PackedBatch, Rows, Storage, Weights};
use safetensors::tensor::TensorView;
use std::ops::ControlFlow;
use std::path::Path;

/// Least cosine between a device's vectors and the CPU's. Software Vulkan gave
/// 1 − 4e-7 in float16 and 1 − 1e-12 in float32; a wrong rotation or mask gives
/// less than 0.99.
const MIN_COSINE: f64 = 0.9995;

/// # Errors
/// Why the device can't be trusted.
pub(crate) fn self_check(device: DeviceId) -> Result<(), String> {
    check(device).map_err(|error| error.to_string())?
}

fn check(device: DeviceId) -> Result<Result<(), String>, Error> {
    let config = Config::from_json(CONFIG, Path::new("self-check"))?;
    let weights = Weights::from_bytes(generate(&config))?;
    let batch = PackedBatch::new(&sequences(&config), &config)?;
    let Some(reference) = reference_device() else {
        return Ok(Err("this build has no CPU backend to check it against".to_owned()));
    };
    let vectors = |device, dtype| {
        let storage = Storage { dtype, max_tensor_bytes: u64::MAX };
        vectors(device, &weights, &config, storage, &batch)
    };
    let expected = vectors(reference, Dtype::F32)?;
    for dtype in backend::dtypes(device)? {
        let found = vectors(device, dtype)?;
        let pairs = expected.chunks(config.hidden_size).zip(found.chunks(config.hidden_size));
        let worst = pairs.map(|(a, b)| Similarity::Cosine.of(a, b)).fold(1.0, lesser);
        // A NaN must not pass.
        if worst.is_nan() || worst < MIN_COSINE {
            return Ok(Err(format!(
                "its vectors differ from the processor's in {dtype:?} (cosine {worst:.6})"
            )));
        }
    }
    Ok(Ok(()))
}

/// The last row of each sequence.
fn vectors(
    device: DeviceId,
    weights: &Weights,
    config: &Config,
    storage: Storage,
    batch: &PackedBatch,
) -> Result<Vec<f32>, Error> {
    let mut go_on = |_, _| ControlFlow::Continue(());
    let backend = Backend::load(device, weights, config, storage, &mut go_on)?;
    backend.forward(device, batch, Rows::Last, &|| false)
}

/// The lesser of two; NaN if one of them is.
fn lesser(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}

fn reference_device() -> Option<DeviceId> {
    [DeviceId::Cpu, DeviceId::NdArray].into_iter().find(|&id| backend::dtypes(id).is_ok())
}

/// Small, with every feature of the real ones: grouped heads, and heads that
/// don't add up to the hidden size.
const CONFIG: &str = r#"{
    "model_type": "qwen3", "head_dim": 32, "hidden_act": "silu", "hidden_size": 64,
    "intermediate_size": 128, "max_position_embeddings": 512, "num_attention_heads": 4,
    "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
    "rope_theta": 1000000, "tie_word_embeddings": true, "vocab_size": 128
}"#;

/// Lengths around the sizes at which kernels change their ways.
fn sequences(config: &Config) -> Vec<Vec<u32>> {
    let mut random = Random(7);
    let ids = |length: usize, random: &mut Random| {
        (0..length).map(|_| random.next() % config.vocab_size as u32).collect()
    };
    [1, 2, 31, 32, 33, 33].map(|length| ids(length, &mut random)).to_vec()
}

/// A checkpoint of random weights in memory, read by the same code as files.
fn generate(config: &Config) -> Vec<u8> {
    let (c, f, d) = (config.hidden_size, config.intermediate_size, config.head_dim);
    let (q, k) = (config.num_attention_heads * d, config.num_key_value_heads * d);
    let mut shapes = vec![("embed_tokens".to_owned(), vec![config.vocab_size, c])];
    for layer in 0..config.num_hidden_layers {
        let parts = [
            ("input_layernorm", vec![c]),
            ("post_attention_layernorm", vec![c]),
            ("self_attn.q_proj", vec![q, c]),
            ("self_attn.k_proj", vec![k, c]),
            ("self_attn.v_proj", vec![k, c]),
            ("self_attn.o_proj", vec![c, q]),
            ("self_attn.q_norm", vec![d]),
            ("self_attn.k_norm", vec![d]),
            ("mlp.gate_proj", vec![f, c]),
            ("mlp.up_proj", vec![f, c]),
            ("mlp.down_proj", vec![c, f]),
        ];
        shapes.extend(parts.map(|(name, shape)| (format!("layers.{layer}.{name}"), shape)));
    }
    shapes.push(("norm".to_owned(), vec![c]));

    let mut random = Random(1);
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let numbers = shape.iter().product();
            // Norms around 1.5, matrices with outputs about as large as their inputs.
            let (centre, spread) = match shape[..] {
                [_] => (1.5, 0.5),
                _ => (0.0, (3.0 / shape[1] as f32).sqrt()),
            };
            let values = (0..numbers).map(|_| centre + spread * random.unit());
            let bytes = values.flat_map(f32::to_le_bytes).collect();
            (format!("{name}.weight"), shape, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
        (name, view.expect("the bytes fit the shape"))
    });
    safetensors::serialize(views, None).expect("the views are valid")
}

/// Marsaglia's xorshift, so that every machine generates the same weights.
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Between -1 and 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(feature = "cpu", feature = "ndarray"))]
    fn two_cpu_backends_agree() {
        // `cpu` is checked in f32, bf16 and f16 against itself in f32.
        assert_eq!(self_check(DeviceId::Cpu), Ok(()));
        assert_eq!(self_check(DeviceId::NdArray), Ok(()));
    }

    #[test]
    fn every_gpu_here_passes() {
        let (found, absent) = crate::devices();
        for absent in absent {
            eprintln!("skipped: no `{}` device here ({})", absent.name, absent.reason);
        }
        for device in found {
            assert_eq!(self_check(device.id), Ok(()), "{}", device.id);
        }
    }

    #[test]
    fn a_table_in_blocks_gives_the_same_vectors() {
        let config = Config::from_json(CONFIG, Path::new("self-check")).unwrap();
        let weights = Weights::from_bytes(generate(&config)).unwrap();
        let batch = PackedBatch::new(&sequences(&config), &config).unwrap();
        let row_bytes = config.hidden_size as u64 * 4;
        for device in crate::devices().0 {
            // One block; 100 + 28 rows; blocks of 1 row.
            let [whole, two, many] = [u64::MAX, 100 * row_bytes + 3, row_bytes].map(|bytes| {
                let storage = Storage { dtype: Dtype::F32, max_tensor_bytes: bytes };
                vectors(device.id, &weights, &config, storage, &batch).unwrap()
            });
            assert_eq!(whole, two, "{}", device.id);
            assert_eq!(whole, many, "{}", device.id);
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        let reason = self_check(DeviceId::Cuda(99)).unwrap_err();
        assert!(reason.contains("cuda:99"), "{reason}");
    }
}
