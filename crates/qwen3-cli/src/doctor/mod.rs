//! `qwen3 doctor`: whether this machine's devices, and a model, can be trusted.

mod report;

use crate::args::{DoctorArgs, OutputArgs};
use crate::error::Error;
use crate::output::{Inputs, Output};
use crate::print::print;
use crate::terminal::{escaped, escaped_json};
use qwen3_checks::Published;
use qwen3_checks::published::model_with_file;
use qwen3_engine::internals::{SelfCheck, processor_name, self_check, speed};
use qwen3_engine::{
    Checkpoint, Device, DeviceChoice, Devices, Dtype, Error as EngineError, Hooks, devices, sha256,
};
use report::{
    DeviceReport, DtypeReport, FileReport, Line, Machine, Mark, ModelReport, NumbersReport, Report,
};
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

/// The files' hashes, and the numbers that were published of the model.
fn examine_model(
    model: &str,
    devices: &[Device],
    teller: &mut Teller,
) -> Result<ModelReport, Error> {
    // A converted file is compared with its checksums when it is opened.
    let checkpoint = Checkpoint::open(model, &Hooks::default())?;
    let (kind, path) = (checkpoint.kind().to_string(), checkpoint.path());
    let place = path.map_or("inside this program".to_owned(), |path| path.display().to_string());
    teller.tell([Mark::Heading.line(format!("{model}: {kind}, {place}"))])?;
    if checkpoint.provenance().is_some() {
        teller.tell([Mark::Passed.line("all checksums of the converted file are right")])?;
    }
    let files = hashed(&checkpoint)?;
    teller.tell(files.iter().map(FileReport::line))?;

    let is_published = files.iter().any(|file| file.published_as.is_some());
    let mut numbers = vec![];
    match Published::with_shape_of(&checkpoint) {
        Some(of) if checkpoint.dtype()?.is_blocks() => {
            teller.tell([Mark::Unknown.line(format!(
                "weights in {} give other numbers than those published of {}: they aren't compared",
                checkpoint.dtype()?,
                of.model
            ))])?
        }
        Some(of) if is_published || path.is_some_and(|path| of.is_called(model, path)) => {
            let text = format!("numbers published of {}, in the dtype of the file", of.model);
            teller.tell([Mark::Heading.line(text)])?;
            for device in devices {
                let report = published_numbers(of, &checkpoint, device)?;
                teller.tell(report.lines())?;
                numbers.push(report);
            }
        }
        Some(of) => teller.tell([Mark::Unknown.line(format!(
            "has the shape of {}, but neither its file nor its name: its numbers aren't compared",
            of.model
        ))])?,
        None => {
            let text = "no numbers are published of a model of this shape";
            teller.tell([Mark::Unknown.line(text)])?;
        }
    }
    Ok(ModelReport { model: model.to_owned(), kind, files, numbers })
}

/// The files of weights that the checkpoint has, or that it was converted from.
fn hashed(checkpoint: &Checkpoint) -> Result<Vec<FileReport>, Error> {
    let digests: Vec<(String, String)> = match checkpoint.provenance() {
        Some(provenance) => provenance.sources.clone().into_iter().collect(),
        None => {
            let files = checkpoint.source_files()?.into_iter();
            let digest = |path: &Path| sha256(path, &Hooks::default());
            let files = files.map(|(name, path)| Ok((name, digest(&path)?)));
            files.collect::<Result<_, EngineError>>()?
        }
    };
    let weights = digests.into_iter().filter(|(file, _)| file.ends_with(".safetensors"));
    let report = |(file, sha256): (String, String)| {
        let published_as = model_with_file(&sha256).map(|of| &of.model[..]);
        FileReport { file, sha256, published_as }
    };
    Ok(weights.map(report).collect())
}

fn published_numbers(
    of: &Published,
    checkpoint: &Checkpoint,
    device: &Device,
) -> Result<NumbersReport, Error> {
    let stored = checkpoint.dtype()?;
    let dtype = if device.dtypes.contains(&stored) { stored } else { Dtype::F32 };
    let checks = of.check(checkpoint, device.id, dtype);
    Ok(NumbersReport { device: device.id, dtype, checks })
}
