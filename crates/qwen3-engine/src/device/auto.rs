//! The choice of a device.

use super::self_check::{self, Extent};
use super::{Device, DeviceChoice, DeviceId, Devices, Opened, devices};
use crate::error::Error;
use qwen3::{DeviceKind, Dtype, MatmulStrategy};
use std::fmt;

/// What was tried and passed over: a device, by `auto`, or a way to multiply on
/// the device that is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fallback {
    /// The device.
    pub device: DeviceId,
    /// The way to multiply; `None`: the device.
    pub strategy: Option<MatmulStrategy>,
    /// Why it was passed over.
    pub reason: String,
}

/// As in "not on …".
impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, strategy, reason } = self;
        match strategy {
            Some(strategy) => write!(f, "`{device}` with {strategy}: {reason}"),
            None => write!(f, "`{device}`: {reason}"),
        }
    }
}

/// The device to use, opened, and for `auto` what was tried before it; `dtype_on`
/// says in which dtype it will be used.
pub(crate) fn choose(
    choice: DeviceChoice,
    dtype_on: &dyn Fn(&Device) -> Result<Dtype, Error>,
) -> Result<(Opened, Vec<Fallback>), Error> {
    let (id, fallbacks) = match choice {
        DeviceChoice::Named(id) => (id, vec![]),
        DeviceChoice::Auto => first_trusted(devices(), &|device| {
            let dtype = dtype_on(device)?;
            self_check::strategy(&Opened::open(device.id)?, dtype, Extent::Networks).map(drop)
        })?,
    };
    Ok((Opened::open(id)?, fallbacks))
}

/// The best of the devices that were found which passes `check`.
pub(super) fn first_trusted(
    Devices { mut found, absent }: Devices,
    check: &dyn Fn(&Device) -> Result<(), Error>,
) -> Result<(DeviceId, Vec<Fallback>), Error> {
    found.sort_by_key(|device| device.id);
    let mut passed_over = vec![];
    for device in found {
        let reason = match device.kind {
            _ if device.id.is_processor() => return Ok((device.id, passed_over)),
            DeviceKind::Software => {
                "it computes on the processor, where `cpu` is faster".to_owned()
            }
            _ => match check(&device) {
                Ok(()) => return Ok((device.id, passed_over)),
                Err(Error::DeviceUnavailable { reason, .. }) => reason,
                Err(error) => error.to_string(),
            },
        };
        tracing::warn!(device = %device.id, reason, "auto passes over a device");
        passed_over.push(Fallback { device: device.id, strategy: None, reason });
    }
    let mut reasons: Vec<String> =
        passed_over.iter().map(|tried| format!("{}: {}", tried.device, tried.reason)).collect();
    reasons.extend(absent.iter().map(|absent| format!("{}: {}", absent.name, absent.reason)));
    Err(Error::NoDevice { reasons: reasons.join("; ") })
}
