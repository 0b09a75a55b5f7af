//! An opened device, and a network loaded on it. Panics of GPU libraries end here.

use super::{Device, DeviceId, backends};
use crate::error::Error;
use qwen3::{
    Config, Dtype, Factors, Layout, MatmulStrategy, Network, OnTensor, OpenDevice, PackedBatch,
    Recorded, Rows, Storage, Weights,
};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A device that networks are loaded on.
#[derive(Debug)]
pub(crate) struct Opened {
    device: Device,
    handle: Box<dyn OpenDevice>,
}

impl Opened {
    /// # Errors
    /// If there is no such device, its driver refuses, or it isn't part of this build.
    pub fn open(id: DeviceId) -> Result<Self, Error> {
        let handle = guarded(id, || backends::open(id))?;
        Ok(Self { device: backends::describe(id)?, handle })
    }

    /// See [`OpenDevice::load`].
    pub fn load(
        &self,
        weights: &Weights,
        config: &Config,
        storage: Storage,
        on_tensor: OnTensor,
    ) -> Result<Loaded, Error> {
        let load = || Ok(self.handle.load(weights, config, storage, on_tensor)?);
        Ok(Loaded { device: self.device.id, network: guarded(self.device.id, load)? })
    }

    /// See [`OpenDevice::layout`].
    pub fn layout(&self) -> Layout {
        self.handle.layout()
    }

    /// See [`OpenDevice::matmul_strategies`].
    pub fn matmul_strategies(&self, dtype: Dtype) -> Result<Vec<MatmulStrategy>, Error> {
        guarded(self.device.id, || Ok(self.handle.matmul_strategies(dtype)))
    }

    /// See [`OpenDevice::product`].
    pub fn product(
        &self,
        factors: &Factors,
        dtype: Dtype,
        strategy: MatmulStrategy,
    ) -> Result<Vec<f32>, Error> {
        guarded(self.device.id, || Ok(self.handle.product(factors, dtype, strategy)?))
    }

    /// Bytes of a GPU's memory that are free, where its driver says so.
    pub fn free_bytes(&self) -> Option<u64> {
        let free = guarded(self.device.id, || Ok(backends::free_bytes(self.device.id)));
        free.ok().flatten()
    }

    /// See [`OpenDevice::unused_buffer_bytes`].
    pub fn unused_buffer_bytes(&self) -> u64 {
        guarded(self.device.id, || Ok(self.handle.unused_buffer_bytes())).unwrap_or(0)
    }
}

/// A network on the device is dropped before, so that its memory is given back, too.
impl Drop for Opened {
    fn drop(&mut self) {
        let give_back = || {
            self.handle.give_back();
            Ok(())
        };
        // A device that is lost has nothing to give.
        guarded(self.device.id, give_back).ok();
    }
}

impl Deref for Opened {
    type Target = Device;

    fn deref(&self) -> &Device {
        &self.device
    }
}

/// A network on a device.
#[derive(Debug)]
pub(crate) struct Loaded {
    device: DeviceId,
    network: Box<dyn Network>,
}

impl Loaded {
    /// See [`Network::forward`].
    pub fn forward(
        &self,
        batch: &PackedBatch,
        rows: Rows,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, Error> {
        guarded(self.device, || Ok(self.network.forward(batch, rows, should_stop)?))
    }

    /// See [`Network::stages`].
    pub fn stages(&self, batch: &PackedBatch, tokens: &[u32]) -> Result<Vec<Recorded>, Error> {
        guarded(self.device, || Ok(self.network.stages(batch, tokens)?))
    }

    /// See [`Network::shrink_buffers`].
    pub fn shrink_buffers(&self, max_bytes: u64) {
        let shrink = || {
            self.network.shrink_buffers(max_bytes);
            Ok(())
        };
        // The next call says what is wrong with the device.
        guarded(self.device, shrink).ok();
    }
}

/// Turns a panic of a GPU library into an error. Burn and CubeCL answer a lost
/// device, a full memory or a driver's refusal with a panic.
pub(crate) fn guarded<T>(
    device: DeviceId,
    call: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Err(Error::Model(qwen3::Error::Device { message }))) => Err(failure(device, message)),
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(failure(device, text.unwrap_or("no message").to_owned()))
        }
    }
}

fn failure(device: DeviceId, message: String) -> Error {
    let lower = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let full = ["out of memory", "outofmemory", "out_of_memory", "not enough memory"];
    // As CubeCL says it.
    if says(&full) || says(&["can't allocate buffer"]) {
        Error::OutOfMemory { device, message }
    } else if says(&["device lost", "devicelost", "device is lost", "parent device"]) {
        Error::DeviceLost { device, message }
    } else {
        Error::Device { device, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_and_failures_become_errors_by_their_cause() {
        let caught = |message: &'static str| {
            guarded::<()>(DeviceId::Cpu, || std::panic::resume_unwind(Box::new(message)))
        };
        assert!(matches!(caught("Buffer: Not enough memory left"), Err(Error::OutOfMemory { .. })));
        assert!(matches!(caught("Parent device is lost"), Err(Error::DeviceLost { .. })));
        assert!(matches!(caught("something else"), Err(Error::Device { .. })));
        let full = caught("called `Result::unwrap()` on an `Err` value: can't allocate buffer");
        assert!(matches!(full, Err(Error::OutOfMemory { .. })), "{full:?}");
    }
}
