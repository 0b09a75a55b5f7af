//! `qwen3 doctor`: whether this machine's devices, and a model, can be trusted.

mod report;

use crate::args::{DoctorArgs, OutputArgs};
use crate::error::Error;
use crate::output::{Inputs, Output};
use crate::print::print;
use crate::terminal::{escaped, escaped_json};
use qwen3_engine::{
    Checkpoint, DeviceChoice, DeviceInfo, Dtype, Error as EngineError, Hooks, HubOptions,
    SelfCheck, devices, model_path, published, self_check, sha256, speed,
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
    let (found, absent) = devices();
    let chosen = chosen(args, &found)?;
    let machine = Machine {
        version: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        processor: qwen3_engine::processor_name(),
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

fn chosen(args: &DoctorArgs, found: &[DeviceInfo]) -> Result<Vec<DeviceInfo>, Error> {
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
fn examine_device(device: &DeviceInfo, teller: &mut Teller) -> Result<DeviceReport, Error> {
    let DeviceInfo { id, name, kind, driver, .. } = device;
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
    device: &DeviceInfo,
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
    devices: &[DeviceInfo],
    teller: &mut Teller,
) -> Result<ModelReport, Error> {
    let path = model_path(model, HubOptions::default(), &Hooks::default())?;
    // A converted file is compared with its checksums when it is opened.
    let checkpoint = Checkpoint::open(&path, None)?;
    let kind = checkpoint.kind.to_string();
    teller.tell([Mark::Heading.line(format!("{model}: {kind}, {}", path.display()))])?;
    if checkpoint.provenance().is_some() {
        teller.tell([Mark::Passed.line("all checksums of the converted file are right")])?;
    }
    let files = hashed(&checkpoint)?;
    teller.tell(files.iter().map(FileReport::line))?;

    let is_published = files.iter().any(|file| file.published_as.is_some());
    let mut numbers = vec![];
    match published::model_of(&checkpoint) {
        Some(of) if is_published || published::is_called(model, &path, of) => {
            let text = format!("numbers published of {of}, in the dtype of the file");
            teller.tell([Mark::Heading.line(text)])?;
            for device in devices {
                let report = published_numbers(model, &checkpoint, device)?;
                teller.tell(report.lines())?;
                numbers.push(report);
            }
        }
        Some(of) => teller.tell([Mark::Unknown.line(format!(
            "has the shape of {of}, but neither its file nor its name: its numbers aren't compared"
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
        let known = published::SHA256.iter().find(|(_, _, known)| *known == sha256);
        FileReport { file, sha256, published_as: known.map(|(model, _, _)| *model) }
    };
    Ok(weights.map(report).collect())
}

fn published_numbers(
    model: &str,
    checkpoint: &Checkpoint,
    device: &DeviceInfo,
) -> Result<NumbersReport, Error> {
    let stored = checkpoint.weights.dtype().map_err(EngineError::from)?;
    let dtype = if device.dtypes.contains(&stored) { stored } else { Dtype::F32 };
    let checks = published::check(model, device.id, dtype);
    Ok(NumbersReport { device: device.id, dtype, checks })
}
