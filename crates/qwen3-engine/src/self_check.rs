//! Whether a device computes what the CPU computes, on networks of generated
//! weights: seconds, no download. Drivers that answer wrong without an error
//! are common enough that `auto` trusts none before this.

use crate::backend::{self, Backend};
use crate::device::DeviceId;
use crate::error::Error;
use crate::random::{Random, config, tensors};
use crate::similarity::Similarity;
use qwen3::{Config, Dtype, PackedBatch, Rows, Storage, Weights};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

/// Least cosine between a device's vectors and the CPU's. Software Vulkan gave
/// 1 − 4e-7 in float16 and 1 − 1e-12 in float32; a wrong rotation or mask gives
/// less than 0.99.
pub const MIN_COSINE: f64 = 0.9995;

/// What a device makes of the generated networks in one dtype.
#[derive(Clone, Debug)]
pub struct SelfCheck {
    /// Precision of the weights.
    pub dtype: Dtype,
    /// The worst cosine between its vectors and the CPU's in float32, or what
    /// the device failed with.
    pub cosine: Result<f64, String>,
}

impl SelfCheck {
    /// # Errors
    /// Why vectors of this device and dtype can't be trusted.
    pub fn verdict(&self) -> Result<(), String> {
        match &self.cosine {
            Err(error) => Err(error.clone()),
            Ok(cosine) if *cosine >= MIN_COSINE => Ok(()),
            // NaN too.
            Ok(cosine) => Err(format!(
                "its vectors differ from the processor's in {:?} (cosine {cosine:.6})",
                self.dtype
            )),
        }
    }
}

/// Every dtype that the device says it can hold.
///
/// # Errors
/// If the device isn't there, or this build has no CPU to compare with.
pub fn self_check(device: DeviceId) -> Result<Vec<SelfCheck>, Error> {
    let dtypes = backend::dtypes(device)?;
    let Some(reference) = reference_device() else {
        let reason = "this build has no CPU backend to check it against".to_owned();
        return Err(Error::DeviceUnavailable { device, reason });
    };
    let networks = [Network::small()?, Network::wide()?];
    let expected = networks.iter().map(|network| network.vectors(reference, Dtype::F32));
    let expected = expected.collect::<Result<Vec<_>, Error>>()?;
    let check = |dtype| {
        let of_network = |(network, expected): (&Network, &Vec<f32>)| {
            let found = network.vectors(device, dtype)?;
            let width = network.config.hidden_size;
            let pairs = expected.chunks(width).zip(found.chunks(width));
            Ok(pairs.map(|(a, b)| Similarity::Cosine.of(a, b)).fold(1.0, lesser))
        };
        let cosines = networks.iter().zip(&expected).map(of_network);
        let cosines = cosines.collect::<Result<Vec<f64>, Error>>();
        let cosine = cosines.map(|cosines| cosines.into_iter().fold(1.0, lesser));
        SelfCheck { dtype, cosine: cosine.map_err(|error| error.to_string()) }
    };
    Ok(dtypes.into_iter().map(check).collect())
}

/// # Errors
/// Why the device can't be trusted, in any dtype that it says it can hold.
pub(crate) fn trusted(device: DeviceId) -> Result<(), String> {
    let checks = self_check(device).map_err(|error| error.to_string())?;
    checks.iter().try_for_each(SelfCheck::verdict)
}

/// Tokens per second of a 0.6B model, as far as two of its 28 layers tell. The
/// batch grows until it takes long enough to be measured.
///
/// # Errors
/// If the device fails.
pub fn speed(device: DeviceId, dtype: Dtype) -> Result<f64, Error> {
    const LONG_ENOUGH: Duration = Duration::from_millis(200);
    const MAX_TOKENS: usize = 16_384;
    let network = Network::wide()?;
    let backend = network.load(device, dtype)?;
    let mut length = 32;
    loop {
        let mut random = Random::new(3);
        let sequences: Vec<Vec<u32>> = (0..8).map(|_| network.ids(length, &mut random)).collect();
        let batch = PackedBatch::new(&sequences, &network.config)?;
        // The first time compiles kernels.
        let mut seconds = Duration::ZERO;
        for _ in 0..2 {
            let started = Instant::now();
            backend.forward(device, &batch, Rows::Last, &|| false)?;
            seconds = started.elapsed();
        }
        let tokens = 8 * length;
        if seconds >= LONG_ENOUGH || tokens >= MAX_TOKENS {
            let part = network.config.num_hidden_layers as f64 / 28.0;
            return Ok(tokens as f64 * part / seconds.as_secs_f64());
        }
        length *= 4;
    }
}

/// A device that is trusted.
pub(crate) fn reference_device() -> Option<DeviceId> {
    [DeviceId::Cpu, DeviceId::NdArray].into_iter().find(|&id| backend::dtypes(id).is_ok())
}

/// A network with generated weights, and lengths to try it with.
struct Network {
    config: Config,
    weights: Weights,
    lengths: &'static [usize],
}

impl Network {
    /// With every feature of the real ones: grouped heads, and heads that don't
    /// add up to the hidden size; lengths around the sizes at which kernels
    /// change their ways.
    fn small() -> Result<Self, Error> {
        Self::new(SMALL, &[1, 2, 31, 32, 33, 33])
    }

    /// Two layers of the 0.6B model, since kernels are chosen by shape.
    fn wide() -> Result<Self, Error> {
        Self::new(&config([1024, 3072, 2, 16], 1024).to_string(), &[1, 16, 47])
    }

    fn new(config: &str, lengths: &'static [usize]) -> Result<Self, Error> {
        let config = Config::from_json(config.as_bytes(), Path::new("self-check"))?;
        // Numbers that bfloat16 holds, so that rounding weights is no difference.
        let bytes = safetensors::serialize(tensors(&config), None)
            .expect("the tensors are as large as their shapes say");
        let weights = Weights::from_bytes(bytes)?;
        Ok(Self { config, weights, lengths })
    }

    fn ids(&self, length: usize, random: &mut Random) -> Vec<u32> {
        (0..length).map(|_| random.next() % self.config.vocab_size as u32).collect()
    }

    fn load(&self, device: DeviceId, dtype: Dtype) -> Result<Backend, Error> {
        let storage = Storage { dtype, max_tensor_bytes: u64::MAX };
        let mut go_on = |_, _| ControlFlow::Continue(());
        Backend::load(device, &self.weights, &self.config, storage, &mut go_on)
    }

    /// The last row of each sequence.
    fn vectors(&self, device: DeviceId, dtype: Dtype) -> Result<Vec<f32>, Error> {
        let mut random = Random::new(7);
        let sequences: Vec<Vec<u32>> =
            self.lengths.iter().map(|&length| self.ids(length, &mut random)).collect();
        let batch = PackedBatch::new(&sequences, &self.config)?;
        self.load(device, dtype)?.forward(device, &batch, Rows::Last, &|| false)
    }
}

/// The lesser of two; NaN if one of them is.
fn lesser(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}

const SMALL: &str = r#"{
    "model_type": "qwen3", "head_dim": 32, "hidden_act": "silu", "hidden_size": 64,
    "intermediate_size": 128, "max_position_embeddings": 512, "num_attention_heads": 4,
    "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
    "rope_theta": 1000000, "tie_word_embeddings": true, "vocab_size": 128
}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(feature = "cpu", feature = "ndarray"))]
    fn two_cpu_backends_agree() {
        // `cpu` is checked in f32, bf16 and f16 against itself in f32.
        assert_eq!(trusted(DeviceId::Cpu), Ok(()));
        assert_eq!(trusted(DeviceId::NdArray), Ok(()));
    }

    #[test]
    fn every_gpu_here_passes() {
        let (found, absent) = crate::devices();
        for absent in absent {
            eprintln!("skipped: no `{}` device here ({})", absent.name, absent.reason);
        }
        for device in found {
            for check in self_check(device.id).unwrap() {
                println!("{}: {check:?}", device.id);
                assert_eq!(check.verdict(), Ok(()), "{}", device.id);
            }
        }
    }

    #[test]
    fn a_wrong_vector_or_none_is_not_trusted() {
        for cosine in [Ok(0.9994), Ok(-1.0), Ok(f64::NAN), Err("device lost".to_owned())] {
            let check = SelfCheck { dtype: Dtype::F16, cosine };
            assert!(check.verdict().is_err(), "{check:?}");
        }
    }

    #[test]
    fn a_table_in_blocks_gives_the_same_vectors() {
        let Network { config, weights, .. } = Network::small().unwrap();
        let row_bytes = config.hidden_size as u64 * 4;
        let ids: Vec<u32> = (0..config.vocab_size as u32).collect();
        let batch = PackedBatch::new(&[ids], &config).unwrap();
        for device in crate::devices().0 {
            // One block; 100 + 28 rows; blocks of 1 row.
            let [whole, two, many] = [u64::MAX, 100 * row_bytes + 3, row_bytes].map(|bytes| {
                let storage = Storage { dtype: Dtype::F32, max_tensor_bytes: bytes };
                let mut go_on = |_, _| ControlFlow::Continue(());
                let backend = Backend::load(device.id, &weights, &config, storage, &mut go_on);
                backend.unwrap().forward(device.id, &batch, Rows::Last, &|| false).unwrap()
            });
            assert_eq!(whole, two, "{}", device.id);
            assert_eq!(whole, many, "{}", device.id);
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        let reason = trusted(DeviceId::Cuda(99)).unwrap_err();
        assert!(reason.contains("cuda:99"), "{reason}");
    }
}
