//! A loaded network on one device, with everything tensor-shaped kept inside:
//! a packed batch in, rows of float32 out.
//!
//! A backend crate wraps `Runner<ItsBackend>` in a type of its own, so that
//! the network is compiled there and nowhere else.

use crate::batch::{PackedBatch, indices};
use crate::config::Config;
use crate::error::Error;
use crate::load::OnTensor;
use crate::model::{Qwen3, Rows};
use crate::stages::{Observer, Recorded, device_error, to_host};
use crate::weights::{Storage, Weights};
use qwen3_kernels::Kernels;

/// A network on a device.
#[derive(Debug)]
pub struct Runner<B: Kernels> {
    model: Qwen3<B>,
}

impl<B: Kernels> Runner<B> {
    /// Loads the network; see [`Qwen3::load`].
    ///
    /// # Errors
    /// As [`Qwen3::load`].
    pub fn load(
        weights: &Weights,
        config: &Config,
        storage: Storage,
        device: &B::Device,
        on_tensor: OnTensor,
    ) -> Result<Self, Error> {
        let model = Qwen3::load(weights, config, storage, device, on_tensor)?;
        B::sync(device).map_err(device_error)?;
        Ok(Self { model })
    }

    /// The wanted rows of the last hidden states, `[R, C]` row after row.
    ///
    /// # Errors
    /// [`Error::Stopped`] once `should_stop` says so (asked many times in each
    /// layer); [`Error::Device`] if the device fails.
    pub fn forward(
        &self,
        batch: &PackedBatch,
        rows: Rows,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, Error> {
        to_host(self.model.forward(batch, rows, &mut Observer::StopIf(should_stop))?)
    }

    /// Every stage of a forward pass, in order: the rows of these tokens of
    /// the batch, one after the other.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails.
    ///
    /// # Panics
    /// If the batch has no such token.
    pub fn stages(&self, batch: &PackedBatch, tokens: &[u32]) -> Result<Vec<Recorded>, Error> {
        let in_batch = |&token: &u32| (token as usize) < batch.input_ids().len();
        assert!(tokens.iter().all(in_batch), "{tokens:?} of {}", batch.input_ids().len());
        let device = self.model.norm.weight.device();
        let rows = indices(tokens.iter().copied(), &device);
        let mut seen = vec![];
        self.model.forward(batch, Rows::All, &mut Observer::Record { rows, seen: &mut seen })?;
        Ok(seen)
    }
}
