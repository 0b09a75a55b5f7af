//! `qwen3 doctor`: whether this machine's devices, and a model, can be trusted.

use crate::args::{DoctorArgs, OutputArgs};
use crate::error::Error;
use crate::inspect::print;
use crate::output::{Inputs, Output};
use crate::run::dtype_name;
use qwen3_engine::{
    Checkpoint, DeviceChoice, DeviceInfo, Dtype, Hooks, HubOptions, SelfCheck, devices, model_path,
    published, self_check, sha256, speed,
};
use serde_json::{Value, json};
use std::path::Path;

/// What was checked, one line each.
#[derive(Default)]
struct Report {
    checks: usize,
    failed: usize,
    /// Nothing on standard output but JSON.
    silent: bool,
}

impl Report {
    fn line(&mut self, mark: &str, text: &str) -> Result<(), Error> {
        if self.silent { Ok(()) } else { print(&format!("{mark:<6} {text}\n")) }
    }

    fn check(&mut self, ok: bool, text: &str) -> Result<(), Error> {
        self.checks += 1;
        self.failed += usize::from(!ok);
        self.line(if ok { "[ok]" } else { "[FAIL]" }, text)
    }
}

pub fn doctor(args: &DoctorArgs) -> Result<(), Error> {
    let to_stdout = args.json.as_deref() == Some(Path::new("-"));
    // First, so that a file that can't be written doesn't cost the checks.
    let json = args.json.as_ref().map(|path| {
        let output = Some(path).filter(|_| !to_stdout).cloned();
        Output::open(&OutputArgs { output }, &Inputs::of_model(args.model.as_deref()))
    });
    let json = json.transpose()?;
    let mut report = Report { silent: to_stdout, ..Report::default() };
    let (found, absent) = devices();
    let chosen = chosen(args, &found)?;
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let processor = qwen3_engine::processor_name();
    let version = env!("CARGO_PKG_VERSION");
    report.line("", &format!("qwen3 {version}, {os} {arch}, {processor}"))?;
    let mut of_devices = vec![];
    for device in &chosen {
        of_devices.push(check_device(device, &mut report)?);
    }
    if args.device.is_empty() {
        for absent in &absent {
            report.line("[none]", &format!("{}: {}", absent.name, absent.reason))?;
        }
    }
    let model = match &args.model {
        Some(model) => Some(check_model(model, &chosen, &mut report)?),
        None => None,
    };
    let Report { checks, failed, .. } = report;
    if let Some(json) = json {
        let absent =
            absent.iter().map(|absent| json!({"device": absent.name, "reason": absent.reason}));
        let value = json!({
            "version": version, "os": os, "arch": arch, "processor": processor,
            "devices": of_devices, "absent": absent.collect::<Vec<_>>(), "model": model,
            "checks": checks, "failed": failed,
        });
        json.print(&format!("{value:#}\n"))?;
    }
    match failed {
        0 => report.line("", &format!("all {checks} checks passed")),
        count => Err(Error::Distrusted { count, of: checks }),
    }
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
                    return Err(self_check(id)
                        .err()
                        .unwrap_or_else(|| {
                            let reason = "it is not among the devices here".to_owned();
                            qwen3_engine::Error::DeviceUnavailable { device: id, reason }
                        })
                        .into());
                }
            },
        }
    }
    Ok(if args.device.is_empty() { found.to_vec() } else { chosen })
}

/// Two networks of generated weights against the processor's vectors, and the speed.
fn check_device(device: &DeviceInfo, report: &mut Report) -> Result<Value, Error> {
    let driver = device.driver.as_deref().unwrap_or("no driver needed");
    report.line("", &format!("{}: {} ({}, {driver})", device.id, device.name, device.kind))?;
    let mut dtypes = vec![];
    match self_check(device.id) {
        Ok(checks) => {
            for check in &checks {
                dtypes.push(check_dtype(device, check, report)?);
            }
        }
        Err(error) => {
            report.check(false, &format!("{}: {error}", device.id))?;
            dtypes.push(json!({"error": error.to_string()}));
        }
    }
    Ok(json!({
        "device": device.id.to_string(), "name": device.name, "kind": device.kind,
        "driver": device.driver, "memory_bytes": device.memory_bytes, "dtypes": dtypes,
    }))
}

fn check_dtype(
    device: &DeviceInfo,
    check: &SelfCheck,
    report: &mut Report,
) -> Result<Value, Error> {
    let dtype = dtype_name(check.dtype);
    let name = format!("{} {dtype}", device.id);
    let verdict = check.verdict();
    let tokens_per_second = match &verdict {
        Err(reason) => {
            report.check(false, &format!("{name}: can't be trusted: {reason}"))?;
            None
        }
        Ok(()) => match speed(device.id, check.dtype) {
            Ok(speed) => {
                let cosine = check.cosine.as_ref().map_or(f64::NAN, |cosine| 1.0 - cosine);
                let text = format!(
                    "{name}: trusted (1 - cosine {:.0e}); about {speed:.0} tokens/s with a 0.6B model",
                    cosine.max(0.0)
                );
                report.check(true, &text)?;
                Some(speed)
            }
            Err(error) => {
                report
                    .check(false, &format!("{name}: right, but failed when measured: {error}"))?;
                None
            }
        },
    };
    Ok(json!({
        "dtype": dtype, "trusted": verdict.is_ok(), "reason": verdict.err(),
        "cosine": check.cosine.as_ref().ok(), "tokens_per_second": tokens_per_second,
    }))
}

/// The files' hashes, and the numbers that were published of the model.
fn check_model(model: &str, devices: &[DeviceInfo], report: &mut Report) -> Result<Value, Error> {
    let hooks = Hooks::default();
    let path = model_path(model, HubOptions::default(), &hooks)?;
    // A converted file is compared with its checksums when it is opened.
    let checkpoint = Checkpoint::open(&path, model, None)?;
    report.line("", &format!("{model}: {}, {}", checkpoint.kind, path.display()))?;
    let mut files = vec![];
    if checkpoint.provenance().is_some() {
        report.check(true, "all checksums of the converted file are right")?;
    }
    let digests = match checkpoint.provenance() {
        Some(provenance) => provenance.sources.clone().into_iter().collect(),
        None => hashed(&checkpoint, &hooks)?,
    };
    let mut is_published = false;
    for (name, digest) in digests.iter().filter(|(name, _)| name.ends_with(".safetensors")) {
        let known = published::SHA256.iter().find(|(_, _, known)| known == digest);
        let of = known.map(|(model, _, _)| *model);
        files.push(json!({"file": name, "sha256": digest, "published_as": of}));
        is_published |= of.is_some();
        match of {
            Some(of) => report.check(true, &format!("{name}: the published file of {of}"))?,
            None => {
                let text = format!("{name}: not among the known published files, sha256 {digest}");
                report.line("[?]", &text)?;
            }
        }
    }
    let mut numbers = vec![];
    match published::model_of(&checkpoint) {
        Some(of) if is_published || published::is_called(model, &path, of) => {
            report.line("", &format!("numbers published of {of}, in the dtype of the file"))?;
            for device in devices {
                numbers.push(published_numbers(model, &checkpoint, device, report)?);
            }
        }
        Some(of) => {
            let text = format!(
                "has the shape of {of}, but neither its file nor its name: its numbers aren't compared"
            );
            report.line("[?]", &text)?;
        }
        None => report.line("[?]", "no numbers are published of a model of this shape")?,
    }
    let kind = checkpoint.kind.to_string();
    Ok(json!({"model": model, "kind": kind, "files": files, "numbers": numbers}))
}

fn hashed(checkpoint: &Checkpoint, hooks: &Hooks) -> Result<Vec<(String, String)>, Error> {
    let files = checkpoint.source_files()?.into_iter();
    let hash = |(name, path): (String, std::path::PathBuf)| Ok((name, sha256(&path, hooks)?));
    files.map(hash).collect()
}

fn published_numbers(
    model: &str,
    checkpoint: &Checkpoint,
    device: &DeviceInfo,
    report: &mut Report,
) -> Result<Value, Error> {
    let stored = checkpoint.weights.dtype().map_err(qwen3_engine::Error::from)?;
    let dtype = if device.dtypes.contains(&stored) { stored } else { Dtype::F32 };
    let name = format!("{} {}", device.id, dtype_name(dtype));
    let checks = match published::check(model, device.id, dtype) {
        Ok(checks) => checks,
        Err(error) => {
            report.check(false, &format!("{name}: {error}"))?;
            return Ok(json!({"device": device.id.to_string(), "error": error.to_string()}));
        }
    };
    for check in &checks {
        report.check(check.ok(), &format!("{name}: {check}"))?;
    }
    let checks = checks.iter().map(|check| {
        json!({
            "what": check.what, "source": check.source, "expected": check.expected,
            "found": check.found, "tolerance": check.tolerance, "ok": check.ok(),
        })
    });
    Ok(json!({
        "device": device.id.to_string(), "dtype": dtype_name(dtype),
        "checks": checks.collect::<Vec<_>>(),
    }))
}
