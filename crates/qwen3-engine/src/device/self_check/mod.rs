//! Whether a device computes what it should: products of whole numbers, and
//! networks of generated weights against the CPU. Seconds, no download. Drivers
//! that answer wrong without an error are common enough that none is trusted
//! before this.

mod networks;
mod products;
#[cfg(test)]
mod tests;

use super::{DeviceId, Fallback, Opened};
use crate::error::Error;
use networks::{Generated, lesser};
use products::Product;
use qwen3::random::Random;
use qwen3::{Dtype, Factors, MatmulStrategy, PackedBatch, Rows, Storage};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Least cosine between a device's vectors and the CPU's, of thousands. Software
/// Vulkan gave 1 − 3e-6 in float16 and 1 − 2e-11 in float32, the CPU 1 − 4e-4 in
/// bfloat16; attention that misses half a text gives less than 0.
pub fn min_cosine(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F32 | Dtype::F16 => 0.9995,
        Dtype::Bf16 => 0.997,
        // Of the same rounded weights. The CPU rounds inputs to bfloat16 or 8 bits: 1 − 5e-4.
        _ => 0.997,
    }
}

/// What a device makes of one dtype.
#[derive(Clone, Debug)]
pub struct SelfCheck {
    /// Precision of the weights.
    pub dtype: Dtype,
    /// The first of its strategies that computes right, if one does.
    pub trusted: Option<Trusted>,
    /// Those that were tried before it.
    pub passed_over: Vec<PassedOver>,
}

/// A strategy that computes right.
#[derive(Clone, Copy, Debug)]
pub struct Trusted {
    /// How matrices are multiplied.
    pub strategy: MatmulStrategy,
    /// The worst cosine between the device's vectors and the CPU's in float32.
    pub cosine: f64,
}

/// A strategy that doesn't.
#[derive(Clone, Debug)]
pub struct PassedOver {
    /// How matrices are multiplied.
    pub strategy: MatmulStrategy,
    /// What is wrong with it.
    pub reason: String,
}

impl SelfCheck {
    /// The strategy to use.
    ///
    /// # Errors
    /// Why vectors of this device and dtype can't be trusted.
    pub fn verdict(&self) -> Result<Trusted, String> {
        self.trusted.ok_or_else(|| {
            let reasons = self.passed_over.iter();
            let reasons: Vec<String> =
                reasons.map(|tried| format!("with {}, {}", tried.strategy, tried.reason)).collect();
            format!("it computes wrong in {}: {}", self.dtype, reasons.join("; "))
        })
    }
}

/// Every dtype that the device says it can hold, and the blocks that weights can be brought into.
///
/// # Errors
/// If the device isn't there, or this build has no CPU to compare with.
pub fn self_check(device: DeviceId) -> Result<Vec<SelfCheck>, Error> {
    let device = Opened::open(device)?;
    let known = Known::new(Extent::Networks, device.id)?;
    let dtypes = device.dtypes.iter().copied().chain([Dtype::Q8_0, Dtype::Q4_0]);
    dtypes.map(|dtype| check(&OnDevice { device: &device, dtype }, &known)).collect()
}

/// How much is computed before a device is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Products alone: little on a GPU, for a device that someone named.
    Products,
    /// Networks as well: seconds, for one that the program chooses.
    Networks,
}

/// How `device` shall multiply with weights of `dtype`, and how it shall not. It
/// is checked once per process: models are loaded again and again.
///
/// # Errors
/// If it can't be trusted in any way.
pub(crate) fn strategy(
    device: &Opened,
    dtype: Dtype,
    extent: Extent,
) -> Result<(MatmulStrategy, Vec<Fallback>), Error> {
    static CHECKED: Mutex<Vec<(DeviceId, Extent, SelfCheck)>> = Mutex::new(vec![]);
    let id = device.id;
    if id.is_processor() {
        return Ok((MatmulStrategy::PlainUnits, vec![]));
    }
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = checked.iter().find(|(of_device, of, check)| {
        (*of_device, check.dtype) == (id, dtype) && (*of == extent || *of == Extent::Networks)
    });
    let result = match known {
        Some((_, _, check)) => check.clone(),
        None => check(&OnDevice { device, dtype }, &Known::new(extent, id)?)?,
    };
    // Memory that was short may be free again: only success is kept.
    if known.is_none() && result.trusted.is_some() {
        checked.push((id, extent, result.clone()));
    }
    let trusted = result.verdict();
    let Trusted { strategy, .. } =
        trusted.map_err(|reason| Error::DeviceUnavailable { device: id, reason })?;
    tracing::info!(device = %id, %dtype, %strategy, "products are right");
    let passed_over = result.passed_over.into_iter().map(|PassedOver { strategy, reason }| {
        tracing::warn!(device = %id, %dtype, %strategy, reason, "products are wrong");
        Fallback { device: id, strategy: Some(strategy), reason }
    });
    Ok((strategy, passed_over.collect()))
}

/// A device in one dtype, as the check sees it.
trait Candidate {
    /// Its dtype.
    fn dtype(&self) -> Dtype;
    /// How it can multiply, fastest first.
    fn strategies(&self) -> Result<Vec<MatmulStrategy>, Error>;
    /// A product by one of them alone.
    fn product(&self, factors: &Factors, strategy: MatmulStrategy) -> Result<Vec<f32>, Error>;
    /// The rows of a network's sequences.
    fn rows(&self, network: &Generated, strategy: MatmulStrategy) -> Result<Vec<f32>, Error>;
}

struct OnDevice<'a> {
    device: &'a Opened,
    dtype: Dtype,
}

impl Candidate for OnDevice<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn strategies(&self) -> Result<Vec<MatmulStrategy>, Error> {
        self.device.matmul_strategies(self.dtype)
    }

    fn product(&self, factors: &Factors, strategy: MatmulStrategy) -> Result<Vec<f32>, Error> {
        self.device.product(factors, self.dtype, strategy)
    }

    fn rows(&self, network: &Generated, strategy: MatmulStrategy) -> Result<Vec<f32>, Error> {
        network.rows(&network.sequences, self.device, self.dtype, strategy)
    }
}

/// What the right results are.
struct Known {
    /// Each with the CPU's rows.
    networks: Vec<(Generated, Vec<f32>)>,
}

impl Known {
    fn new(extent: Extent, device: DeviceId) -> Result<Self, Error> {
        if extent == Extent::Products {
            return Ok(Self { networks: vec![] });
        }
        let Some(cpu) = reference_device() else {
            let reason = "this build has no CPU backend to check it against".to_owned();
            return Err(Error::DeviceUnavailable { device, reason });
        };
        let networks = Generated::all()?.into_iter().map(|network| with_rows(network, &cpu));
        Ok(Self { networks: networks.collect::<Result<_, Error>>()? })
    }
}

/// A network, and what the CPU makes of it.
fn with_rows(network: Generated, cpu: &Opened) -> Result<(Generated, Vec<f32>), Error> {
    let rows = exact_rows(&network, cpu)?;
    Ok((network, rows))
}

fn exact_rows(network: &Generated, cpu: &Opened) -> Result<Vec<f32>, Error> {
    network.rows(&network.sequences, cpu, Dtype::F32, MatmulStrategy::PlainUnits)
}

/// The same of weights that were rounded to blocks.
fn rounded_rows(network: &Generated, dtype: Dtype) -> Result<Vec<f32>, Error> {
    let cpu = reference_device().expect("networks are compared with one");
    exact_rows(&network.rounded_to(dtype)?, &cpu)
}

/// Tries one strategy after the other until one is right.
fn check(candidate: &dyn Candidate, known: &Known) -> Result<SelfCheck, Error> {
    let dtype = candidate.dtype();
    let mut passed_over = vec![];
    for strategy in candidate.strategies()? {
        match worst_cosine(candidate, strategy, known) {
            Ok(cosine) => {
                let trusted = Some(Trusted { strategy, cosine });
                return Ok(SelfCheck { dtype, trusted, passed_over });
            }
            Err(reason) => passed_over.push(PassedOver { strategy, reason }),
        }
    }
    Ok(SelfCheck { dtype, trusted: None, passed_over })
}

/// Of the networks' rows, once all products are right.
fn worst_cosine(
    candidate: &dyn Candidate,
    strategy: MatmulStrategy,
    known: &Known,
) -> Result<f64, String> {
    let dtype = candidate.dtype();
    for product in Product::all(dtype) {
        product.check(|factors| candidate.product(factors, strategy))?;
    }
    let mut worst = 1.0;
    // What weights can't be brought into is known by its products alone.
    for (network, expected) in known.networks.iter().filter(|_| dtype.is_written()) {
        let found = candidate.rows(network, strategy).map_err(|error| error.to_string())?;
        let expected = match dtype.is_blocks() {
            true => &rounded_rows(network, dtype).map_err(|error| error.to_string())?,
            false => expected,
        };
        let cosine = network.worst_cosine(expected, &found);
        worst = lesser(worst, cosine);
        // NaN isn't.
        let is_near = cosine >= min_cosine(dtype);
        if !is_near {
            let heads = network.config.head_dim;
            return Err(format!(
                "vectors differ from the processor's in a network with heads of {heads} (cosine {cosine:.6})"
            ));
        }
    }
    Ok(worst)
}

/// Tokens per second of a 0.6B model, as far as two of its 28 layers tell. The
/// batch grows until it takes long enough to be measured.
///
/// # Errors
/// If the device fails.
pub fn speed(device: DeviceId, dtype: Dtype, strategy: MatmulStrategy) -> Result<f64, Error> {
    const LONG_ENOUGH: Duration = Duration::from_millis(200);
    const MAX_TOKENS: usize = 16_384;
    let network = Generated::wide()?;
    let loaded = network.load(&Opened::open(device)?, Storage::all(dtype, u64::MAX, strategy))?;
    let mut length = 32;
    loop {
        let mut random = Random::new(3);
        let sequences: Vec<Vec<u32>> = (0..8).map(|_| network.ids(length, &mut random)).collect();
        let batch = PackedBatch::new(&sequences, &network.config)?;
        // The first time compiles kernels.
        let mut seconds = Duration::ZERO;
        for _ in 0..2 {
            let started = Instant::now();
            loaded.forward(&batch, Rows::Last, &|| false)?;
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
pub(crate) fn reference_device() -> Option<Opened> {
    [DeviceId::Cpu, DeviceId::NdArray].into_iter().find_map(|id| Opened::open(id).ok())
}
