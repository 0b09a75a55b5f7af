//! Tokens per second over devices, dtypes and shapes, on random weights.

pub mod measure;
mod table;

use crate::error::Error;
use crate::{in_repository, python, reference};
use clap::Args;
use measure::{Measured, Request, Timing, lengths};
use qwen3_checks::random_checkpoint;
use qwen3_engine::internals::processor_name;
use qwen3_engine::{DeviceChoice, DeviceId, Dtype};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use table::table;

/// What to measure, and with what to compare it.
#[derive(Args, Clone, Debug)]
pub struct BenchOptions {
    /// Random weights in the shape of this size: 0.6b, 4b, 8b, or tiny to try it
    #[arg(long, default_value = "0.6b")]
    pub size: String,
    /// How long, and on what.
    #[command(flatten)]
    pub timing: Timing,
    /// Write the results to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print the ratio to results that were written earlier
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Run sentence-transformers on the same weights in the same run, and print the ratio
    #[arg(long)]
    pub peer: bool,
    /// Use this Python, which has the packages, instead of making an environment
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
}

/// All results of a run.
#[derive(Debug, Serialize, Deserialize)]
struct Results {
    /// The processor's name.
    machine: String,
    /// Size of the model.
    size: String,
    rows: Vec<Row>,
}

/// One shape of a program, device and dtype.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    program: String,
    device: String,
    dtype: String,
    #[serde(flatten)]
    measured: Measured,
}

const OURS: &str = "qwen3";
const PEER: &str = "sentence-transformers";

/// Measures every pair of a device and dtype, and prints a table.
///
/// # Errors
/// If a size or shape is unknown, or files can't be written. A device that
/// fails is told, and the others go on.
pub fn bench(options: &BenchOptions, pairs: &[(DeviceId, Dtype)]) -> Result<(), Error> {
    let timing = &options.timing;
    timing.shapes.iter().try_for_each(|shape| lengths(shape).map(drop))?;
    let earlier: Option<Results> = options.compare.as_deref().map(reference::parse).transpose()?;
    let model = checkpoint(&options.size)?;
    let python = match options.peer {
        true => Some(python::python(options.python.as_deref(), true)?),
        false => None,
    };
    let mut rows = vec![];
    for &(device, dtype) in pairs {
        let (device, dtype) = (DeviceChoice::Named(device), dtype.into());
        let request = Request { model: model.clone(), device, dtype, timing: timing.clone() };
        rows.extend(measured(OURS, &mut ours(&request)?, &request));
        if let Some(python) = &python {
            rows.extend(measured(PEER, &mut peer(python, &request), &request));
        }
    }
    print!("{}", table(&rows, earlier.as_ref()));
    let machine = processor_name();
    println!(
        "{machine}; random weights of the {} shape; one warm-up, median of {} (fewer beyond {} s); \
         tokenizing not included; peak is the process's own memory",
        options.size, timing.repeats, timing.max_seconds
    );
    if let Some(path) = &options.json {
        let results = Results { machine, size: options.size.clone(), rows };
        let json = serde_json::to_vec_pretty(&results).expect("numbers and strings");
        std::fs::write(path, json).map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    Ok(())
}

/// The random checkpoint of a size, made once.
fn checkpoint(size: &str) -> Result<PathBuf, Error> {
    let folder = in_repository("target/bench").join(size);
    if !folder.join("config.json").exists() {
        random_checkpoint(size, &folder)?;
    }
    Ok(folder)
}

/// This program, measuring.
fn ours(request: &Request) -> Result<Command, Error> {
    let program = std::env::current_exe()
        .map_err(|source| Error::Read { path: "this program".into(), source })?;
    let mut command = Command::new(program);
    command.arg("measure").args(request.flags());
    Ok(command)
}

/// sentence-transformers, which takes the same flags.
fn peer(python: &Path, request: &Request) -> Command {
    // The same hardware, as PyTorch calls it.
    let on_processor = [DeviceId::Cpu, DeviceId::NdArray].map(DeviceChoice::Named);
    let device = if on_processor.contains(&request.device) { "cpu" } else { "cuda" };
    let mut command = Command::new(python);
    command.arg(in_repository(python::PEER)).args(request.flags()).args(["--device", device]);
    command
}

/// What `command` measures, shape by shape. Its failure is told.
fn measured(program: &str, command: &mut Command, request: &Request) -> Vec<Row> {
    let (device, dtype) = (request.device.to_string(), request.dtype.to_string());
    let mut rows = vec![];
    let result = read_lines(command, |line| {
        let measured: Measured = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let speed = measured.tokens_per_second;
        eprintln!("{program} {device} {dtype} {}: {speed:.0} tokens/s", measured.shape);
        let (program, device, dtype) = (program.to_owned(), device.clone(), dtype.clone());
        rows.push(Row { program, device, dtype, measured });
        Ok(())
    });
    match result {
        Ok(()) => rows,
        Err(message) => {
            eprintln!("{program} {device} {dtype}: {message}");
            vec![]
        }
    }
}

/// Runs a program and hands its lines on as they come.
fn read_lines(
    command: &mut Command,
    mut take: impl FnMut(&str) -> Result<(), String>,
) -> Result<(), String> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let taken = lines.map_while(Result::ok).try_for_each(|line| take(&line));
    let status = child.wait().map_err(|error| error.to_string())?;
    match status.success() {
        true => taken,
        false => Err(status.to_string()),
    }
}
