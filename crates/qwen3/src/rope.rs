//! Angles of the rotary position embedding. The rotation itself, with a
//! drawing of its layout, is `qwen3_kernels::Kernels::rms_norm_rotary`.

use crate::batch::PackedBatch;
use crate::config::Config;
use burn::tensor::{DType, Tensor, TensorData, backend::Backend};

/// Cosines and sines of every token's position.
pub struct RotaryTable<B: Backend> {
    /// `[T, D/2]`, float32.
    pub cos: Tensor<B, 2>,
    /// `[T, D/2]`, float32.
    pub sin: Tensor<B, 2>,
}

impl<B: Backend> RotaryTable<B> {
    /// The rows of the batch's positions, from a table as long as its longest sequence.
    pub fn new(config: &Config, batch: &PackedBatch, device: &B::Device) -> Self {
        let angles = angles(config, batch.max_seqlen());
        let positions = batch.position_ids_tensor::<B>(device);
        let rows = |values: Vec<f32>| {
            let shape = [batch.max_seqlen(), config.head_dim / 2];
            let table =
                Tensor::<B, 2>::from_data(TensorData::new(values, shape), (device, DType::F32));
            table.select(0, positions.clone())
        };
        // Sine and cosine in float64, of angles that were rounded as Transformers rounds them.
        Self {
            cos: rows(angles.iter().map(|&angle| f64::from(angle).cos() as f32).collect()),
            sin: rows(angles.iter().map(|&angle| f64::from(angle).sin() as f32).collect()),
        }
    }
}

/// `position · rope_theta^(-2i/D)`, row by row, `[positions, D/2]`.
///
/// In float32 step by step as Transformers' `Qwen3RotaryEmbedding` does: at
/// position 30,000 the rounding of the frequency is worth 1e-3 radians, and
/// the models were trained with it. Half precision would ruin it.
fn angles(config: &Config, positions: usize) -> Vec<f32> {
    let half = config.head_dim / 2;
    let inv_freq = (0..half).map(|i| {
        let exponent = (2 * i) as f32 / config.head_dim as f32;
        1.0 / f64::from(config.rope_theta as f32).powf(f64::from(exponent)) as f32
    });
    let inv_freq: Vec<f32> = inv_freq.collect();
    (0..positions)
        .flat_map(|position| inv_freq.iter().map(move |frequency| position as f32 * frequency))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_fall_from_one_to_almost_the_inverse_of_theta() {
        let config = Config { head_dim: 4, rope_theta: 1e6, ..Config::for_tests() };
        // theta^0 = 1 and theta^(-2/4) = 1e-3.
        assert_eq!(angles(&config, 3), [0.0, 0.0, 1.0, 1e-3, 2.0, 2e-3]);
    }
}
