//! One product on a device, by one strategy: what a device is checked with.

use crate::dtype::Dtype;
use crate::error::Error;
use crate::runner::Runner;
use crate::stages::{device_error, to_host};
use burn::tensor::{DType, Tensor, TensorData};
use qwen3_kernels::{Kernels, MatmulStrategy};

/// What is multiplied: `x · weightᵀ`.
#[derive(Clone, Debug)]
pub struct Factors {
    /// `[rows, inputs]`
    pub x: Vec<f32>,
    /// `[outputs, inputs]`
    pub weight: Vec<f32>,
    /// Columns of both.
    pub inputs: usize,
}

impl<B: Kernels> Runner<B> {
    /// How the device can multiply with weights of `dtype`, fastest first; at least one.
    pub fn strategies(dtype: Dtype, device: &B::Device) -> Vec<MatmulStrategy> {
        B::matmul_strategies(device, dtype.burn())
    }

    /// The product `[rows, outputs]`, with the weight in `dtype`, by this
    /// strategy and no other.
    ///
    /// # Errors
    /// If the device doesn't take it, or fails.
    pub fn product(
        factors: &Factors,
        dtype: Dtype,
        strategy: MatmulStrategy,
        device: &B::Device,
    ) -> Result<Vec<f32>, Error> {
        let on_device = |values: &Vec<f32>, dtype: DType| {
            let shape = [values.len() / factors.inputs, factors.inputs];
            let data = TensorData::new(values.clone(), shape).convert_dtype(dtype);
            Tensor::<B, 2>::from_data(data, (device, dtype))
        };
        let x = on_device(&factors.x, DType::F32);
        let weight = on_device(&factors.weight, dtype.burn());
        to_host(B::linear_only_by(x, weight, strategy).map_err(device_error)?)
    }
}
