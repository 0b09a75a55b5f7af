//! `qwen3 doctor`: whether this machine's devices, and a model, can be trusted.

mod model;
mod report;

use crate::args::{DoctorArgs, OutputArgs};
use crate::error::Error;
use crate::output::{Inputs, Output};
use crate::print::print;
use crate::terminal::{escaped, escaped_json};
use model::examine_model;
use qwen3_engine::internals::{processor_name, speed};
use qwen3_engine::{
    Device, DeviceChoice, Devices, Error as EngineError, SelfCheck, devices, self_check,
};
use report::{DeviceReport, DtypeReport, Line, Machine, Mark, Report};
use std::path::Path;

pub fn doctor(args: &DoctorArgs) -> Result<(), Error> {
    let to_stdout = args.json.as_deref() == Some(Path::new("-"));
    // First, so that a file that can't be written doesn't cost the checks.
    let json = args.json.as_ref().map(|path| {
        let output = Some(path).filter(|_| !to_stdout).cloned();
        Output::open(&OutputArgs { output }, &Inputs::of_model(args.model.as_deref()))
    });
    let json = json.transpose()?;
    let mut teller = Teller { is_silent: to_stdout, checks: 0, failed: 0 };
    let report = examine(args, &mut teller)?;
    if let Some(json) = json {
        json.print(&escaped_json(&format!("{:#}\n", report.json())))?;
    }
    let of = report.checks;
    match report.failed {
        0 => teller.tell([Mark::Heading.line(format!("all {of} checks passed"))]),
        count => Err(Error::Distrusted { count, of }),
    }
}

/// Prints lines as soon as there are any, and counts the checks among them.
struct Teller {
    /// Nothing on standard output but JSON.
    is_silent: bool,
    checks: usize,
    failed: usize,
}

impl Teller {
    fn tell(&mut self, lines: impl IntoIterator<Item = Line>) -> Result<(), Error> {
        for Line { mark, text } in lines {
            self.checks += usize::from(matches!(mark, Mark::Passed | Mark::Failed));
            self.failed += usize::from(mark == Mark::Failed);
            if !self.is_silent {
                print(&format!("{mark:<6} {}\n", escaped(&text)))?;
            }
        }
        Ok(())
    }
}

fn examine(args: &DoctorArgs, teller: &mut Teller) -> Result<Report, Error> {
    let Devices { found, absent, .. } = devices();
    let chosen = chosen(args, &found)?;
    let machine = Machine {
        version: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        processor: processor_name(),
    };
    teller.tell([machine.line()])?;
    let devices = chosen.iter().map(|device| examine_device(device, teller));
    let devices = devices.collect::<Result<_, Error>>()?;
    if args.device.is_empty() {
        teller.tell(
            absent
                .iter()
                .map(|absent| Mark::Absent.line(format!("{}: {}", absent.name, absent.reason))),
        )?;
    }
    let model = match &args.model {
        Some(model) => Some(examine_model(model, &chosen, teller)?),
        None => None,
    };
    let (checks, failed) = (teller.checks, teller.failed);
    Ok(Report { machine, devices, absent, model, checks, failed })
}

fn chosen(args: &DoctorArgs, found: &[Device]) -> Result<Vec<Device>, Error> {
    let mut chosen = vec![];
    for &choice in &args.device {
        match choice {
            DeviceChoice::Auto => chosen.extend_from_slice(found),
            DeviceChoice::Named(id) => match found.iter().find(|device| device.id == id) {
                Some(device) => chosen.push(device.clone()),
                // Says why.
                None => {
                    let reason = "it is not among the devices here".to_owned();
                    let not_here = EngineError::DeviceUnavailable { device: id, reason };
                    return Err(self_check(id).err().unwrap_or(not_here).into());
                }
            },
        }
    }
    Ok(if args.device.is_empty() { found.to_vec() } else { chosen })
}

/// Products, and networks of generated weights against the processor's vectors;
/// and the speed.
fn examine_device(device: &Device, teller: &mut Teller) -> Result<DeviceReport, Error> {
    let Device { id, name, kind, driver, .. } = device;
    let driver = driver.as_deref().unwrap_or("no driver needed");
    teller.tell([Mark::Heading.line(format!("{id}: {name} ({kind}, {driver})"))])?;
    let dtypes = match self_check(*id) {
        Ok(checks) => {
            let dtypes = checks.into_iter().map(|check| examine_dtype(device, check, teller));
            Ok(dtypes.collect::<Result<_, Error>>()?)
        }
        Err(error) => {
            teller.tell([Mark::Failed.line(format!("{id}: {error}"))])?;
            Err(error)
        }
    };
    Ok(DeviceReport { device: device.clone(), dtypes })
}

fn examine_dtype(
    device: &Device,
    check: SelfCheck,
    teller: &mut Teller,
) -> Result<DtypeReport, Error> {
    let speed = check.trusted.map(|trusted| speed(device.id, check.dtype, trusted.strategy));
    let report = DtypeReport { device: device.id, check, speed };
    teller.tell(report.lines())?;
    Ok(report)
}
