//! A loaded network on one device, with everything tensor-shaped kept inside:
//! a packed batch in, rows of float32 out.
//!
//! A backend crate wraps `Runner<ItsBackend>` in a type of its own, so that
//! the network is compiled there and nowhere else.

use crate::batch::PackedBatch;
use crate::config::Config;
use crate::error::Error;
use crate::load::OnTensor;
use crate::model::{Qwen3, Rows, Stage};
use crate::weights::{Storage, Weights};
use burn::tensor::Tensor;
use qwen3_kernels::Kernels;
use std::ops::ControlFlow;

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
    /// [`Error::Stopped`] once `should_stop` says so (asked between layers);
    /// [`Error::Device`] if the device fails.
    pub fn forward(
        &self,
        batch: &PackedBatch,
        rows: Rows,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, Error> {
        let observe = |_, _: &Tensor<B, 2>| match should_stop() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let hidden = self.model.forward(batch, rows, observe).ok_or(Error::Stopped)?;
        to_host(hidden)
    }

    /// Every stage of a forward pass over all rows, in order, `[T, C]` each.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails.
    pub fn stages(&self, batch: &PackedBatch) -> Result<Vec<(Stage, Vec<f32>)>, Error> {
        let mut stages = vec![];
        let mut failure = None;
        let observe = |stage, hidden: &Tensor<B, 2>| match to_host(hidden.clone()) {
            Ok(values) => {
                stages.push((stage, values));
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        };
        self.model.forward(batch, Rows::All, observe);
        failure.map_or(Ok(stages), Err)
    }
}

fn to_host<B: Kernels>(hidden: Tensor<B, 2>) -> Result<Vec<f32>, Error> {
    let data = hidden.try_into_data().map_err(device_error)?;
    Ok(data.into_vec().expect("hidden states are float32"))
}

fn device_error(error: impl std::fmt::Display) -> Error {
    Error::Device { message: error.to_string() }
}
