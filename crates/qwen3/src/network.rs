//! The seam between what the network computes and who asks for it: tensors and
//! generics stay below, a packed batch goes in, rows of float32 come out.
//!
//! A backend crate makes the `Box<dyn …>`, so the network and its kernels are
//! compiled there and nowhere else.

use crate::batch::{PackedBatch, indices};
use crate::config::Config;
use crate::dtype::{burn_dtype, convert};
use crate::error::Error;
use crate::load::{OnTensor, on_device};
use crate::model::{Qwen3, Rows};
use crate::stages::{Observer, Recorded, device_error, to_host};
use crate::storage::Storage;
use crate::weights::Weights;
use burn::tensor::{DType, Tensor, TensorData};
use qwen3_dtypes::{Dtype, Layout};
use qwen3_kernels::{Kernels, MatmulStrategy};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A network loaded on a device.
pub trait Network: Debug + Send + Sync {
    /// The wanted rows of the last hidden states, `[R, C]` row after row.
    ///
    /// # Errors
    /// [`Error::Stopped`] once `should_stop` says so (asked many times in each
    /// layer); [`Error::Device`] if the device fails.
    fn forward(
        &self,
        batch: &PackedBatch,
        rows: Rows,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, Error>;

    /// Every stage of a forward pass, in order: the rows of these tokens of
    /// the batch, one after the other.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails.
    ///
    /// # Panics
    /// If the batch has no such token.
    fn stages(&self, batch: &PackedBatch, tokens: &[u32]) -> Result<Vec<Recorded>, Error>;

    /// Gives the memory of earlier passes back to the system, but for so many bytes.
    fn shrink_buffers(&self, max_bytes: u64);
}

impl<B: Kernels> Network for Qwen3<B> {
    fn forward(
        &self,
        batch: &PackedBatch,
        rows: Rows,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, Error> {
        whole::<B, _, Error>(|| {
            to_host(self.forward(batch, rows, &mut Observer::StopIf(should_stop))?)
        })
    }

    fn stages(&self, batch: &PackedBatch, tokens: &[u32]) -> Result<Vec<Recorded>, Error> {
        let in_batch = |&token: &u32| (token as usize) < batch.input_ids().len();
        assert!(tokens.iter().all(in_batch), "{tokens:?} of {}", batch.input_ids().len());
        let rows = indices(tokens.iter().copied(), &self.norm.weight.device());
        let mut seen = vec![];
        let mut observer = Observer::Record { rows, seen: &mut seen };
        whole::<B, _, Error>(|| self.forward(batch, Rows::All, &mut observer).map(drop))?;
        Ok(seen)
    }

    fn shrink_buffers(&self, max_bytes: u64) {
        B::shrink_buffers(&self.norm.weight.device(), max_bytes);
    }
}

/// What `work` gives, if nothing of it was lost on the way.
///
/// # Errors
/// Those of `work`; [`Error::Device`] if a thread of the backend panicked meanwhile, whatever
/// became of `work`.
pub fn whole<B: Kernels, T, E: From<Error>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let before = B::lost_work().count;
    let result = catch_unwind(AssertUnwindSafe(work));
    if let Some(message) = B::lost_work().since(before) {
        return Err(Error::Device { message }.into());
    }
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// An opened device, on which networks are loaded.
pub trait OpenDevice: Debug + Send + Sync {
    /// Loads the network; see [`Qwen3::load`].
    ///
    /// # Errors
    /// As [`Qwen3::load`]; [`Error::Device`] if the device fails.
    fn load(
        &self,
        weights: &Weights,
        config: &Config,
        storage: Storage,
        on_tensor: OnTensor,
    ) -> Result<Box<dyn Network>, Error>;

    /// See [`Kernels::layout`].
    fn layout(&self) -> Layout;

    /// How the device can multiply with weights of `dtype`, fastest first; at least one.
    fn matmul_strategies(&self, dtype: Dtype) -> Vec<MatmulStrategy>;

    /// The product `[rows, outputs]`, with the weight in `dtype`, by this
    /// strategy and no other: what a device is checked with.
    ///
    /// # Errors
    /// If the device doesn't take it, or fails.
    fn product(
        &self,
        factors: &Factors,
        dtype: Dtype,
        strategy: MatmulStrategy,
    ) -> Result<Vec<f32>, Error>;

    /// Memory that the device holds and nobody uses now: the next pass will.
    fn unused_buffer_bytes(&self) -> u64;

    /// Gives that memory back to the system.
    fn give_back(&self);
}

/// What is multiplied: `x · weightᵀ`.
#[derive(Clone, Debug)]
pub struct Factors {
    /// `[rows, inputs]`
    pub x: Vec<f32>,
    /// `[outputs, inputs]`
    pub weight: Vec<f32>,
    /// The weight in blocks of the dtype that it is multiplied in, where they are given.
    pub blocks: Option<Vec<u8>>,
    /// Columns of both.
    pub inputs: usize,
}

/// A device of one backend.
#[derive(Debug)]
struct DeviceOf<B: Kernels>(B::Device);

/// The device as one that networks are loaded on.
pub fn open_device<B: Kernels>(device: B::Device) -> Box<dyn OpenDevice> {
    Box::new(DeviceOf::<B>(device))
}

impl<B: Kernels> OpenDevice for DeviceOf<B> {
    fn load(
        &self,
        weights: &Weights,
        config: &Config,
        storage: Storage,
        on_tensor: OnTensor,
    ) -> Result<Box<dyn Network>, Error> {
        whole::<B, Box<dyn Network>, Error>(|| {
            let network = Qwen3::<B>::load(weights, config, storage, &self.0, on_tensor)?;
            B::sync(&self.0).map_err(device_error)?;
            Ok(Box::new(network))
        })
    }

    fn layout(&self) -> Layout {
        B::layout()
    }

    fn matmul_strategies(&self, dtype: Dtype) -> Vec<MatmulStrategy> {
        // In which tensor cores take blocks.
        let factor = if dtype.is_blocks() { DType::F16 } else { burn_dtype(dtype) };
        B::matmul_strategies(&self.0, factor)
    }

    fn product(
        &self,
        factors: &Factors,
        dtype: Dtype,
        strategy: MatmulStrategy,
    ) -> Result<Vec<f32>, Error> {
        let Factors { x, weight, blocks, inputs } = factors;
        let x = TensorData::new(x.clone(), [x.len() / inputs, *inputs]);
        let x = Tensor::<B, 2>::from_data(x, (&self.0, DType::F32));
        let shape = [weight.len() / inputs, *inputs];
        let data = match blocks {
            Some(blocks) => convert(blocks, dtype, &shape, dtype),
            None => convert(bytemuck::cast_slice(weight), Dtype::F32, &shape, dtype),
        };
        let lost = |value| Error::Float16Range { name: "a factor".to_owned(), value, dtype };
        let weight = on_device(data.map_err(lost)?, (dtype, Layout::Rows), shape, &self.0);
        whole::<B, _, Error>(|| {
            to_host(B::linear_only_by(x, weight, strategy).map_err(device_error)?)
        })
    }

    fn unused_buffer_bytes(&self) -> u64 {
        B::unused_buffer_bytes(&self.0)
    }

    fn give_back(&self) {
        B::shrink_buffers(&self.0, 0);
    }
}
