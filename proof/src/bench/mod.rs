//! Tokens per second over devices, dtypes and shapes, on random weights.

pub mod measure;

use crate::error::Error;
use crate::report::grid;
use crate::{in_repository, python, reference};
use measure::{Measured, lengths};
use qwen3_checks::random_checkpoint;
use qwen3_engine::internals::processor_name;
use qwen3_engine::{DeviceId, Dtype, DtypeChoice};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What to measure, and with what to compare it.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// `0.6b`, `4b` or `8b`
    pub size: String,
    /// Texts and tokens of each.
    pub shapes: Vec<String>,
    /// Timed runs of a shape.
    pub repeats: usize,
    /// Most seconds for a shape.
    pub max_seconds: f64,
    /// Where the results go.
    pub json: Option<PathBuf>,
    /// Earlier results.
    pub compare: Option<PathBuf>,
    /// Whether sentence-transformers runs too.
    pub peer: bool,
    /// A Python that has the packages.
    pub python: Option<PathBuf>,
}

/// All results of a run.
#[derive(Debug, Serialize, Deserialize)]
struct Results {
    /// The machine.
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
    for shape in &options.shapes {
        lengths(shape)?;
    }
    let earlier: Option<Results> = options.compare.as_deref().map(reference::parse).transpose()?;
    let model = checkpoint(&options.size)?;
    let python = match options.peer {
        true => Some(python::python(options.python.as_deref(), true)?),
        false => None,
    };
    let mut rows = vec![];
    for &(device, dtype) in pairs {
        let (device, dtype) = (device.to_string(), DtypeChoice::from(dtype).to_string());
        match ours(options, &model, &device, &dtype) {
            Ok(measured) => rows.extend(measured.into_iter().map(|measured| Row {
                program: OURS.to_owned(),
                device: device.clone(),
                dtype: dtype.clone(),
                measured,
            })),
            Err(error) => eprintln!("{device} {dtype}: {error}"),
        }
        if let Some(python) = &python {
            rows.extend(peer(options, &model, python, &device, &dtype)?);
        }
    }
    print!("{}", table(&rows, earlier.as_ref()));
    let machine = processor_name();
    println!("{machine}; random weights of the {} shape; {}", options.size, legend(options));
    if let Some(path) = &options.json {
        let results = Results { machine, size: options.size.clone(), rows };
        let json = serde_json::to_vec_pretty(&results).expect("numbers and strings");
        std::fs::write(path, json).map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    Ok(())
}

fn legend(options: &BenchOptions) -> String {
    format!(
        "one warm-up, median of {} (fewer beyond {} s); tokenizing not included; peak is the \
         process's own memory",
        options.repeats, options.max_seconds
    )
}

/// The random checkpoint of a size, made once.
fn checkpoint(size: &str) -> Result<PathBuf, Error> {
    let folder = in_repository("target/bench").join(size);
    if !folder.join("config.json").exists() {
        random_checkpoint(size, &folder)?;
    }
    Ok(folder)
}

fn ours(
    options: &BenchOptions,
    model: &Path,
    device: &str,
    dtype: &str,
) -> Result<Vec<Measured>, Error> {
    let program = std::env::current_exe()
        .map_err(|source| Error::Read { path: "this program".into(), source })?;
    let mut command = Command::new(program);
    command.arg("measure").arg("--model").arg(model);
    command.args(["--device", device, "--dtype", dtype, "--shapes", &options.shapes.join(",")]);
    command.args(["--repeats", &options.repeats.to_string()]);
    command.args(["--max-seconds", &options.max_seconds.to_string()]);
    let failed = |message: String| Error::Program {
        program: format!("measuring {device} {dtype}"),
        message,
    };
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| failed(error.to_string()))?;
    let stdout = child.stdout.take().expect("it is piped");
    let mut measured = vec![];
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let row: Measured =
            serde_json::from_str(&line).map_err(|error| failed(error.to_string()))?;
        let speed = row.tokens_per_second;
        eprintln!("{device} {dtype} {}: {speed:.0} tokens/s", row.shape);
        measured.push(row);
    }
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(measured) } else { Err(failed(status.to_string())) }
}

fn peer(
    options: &BenchOptions,
    model: &Path,
    python: &Path,
    device: &str,
    dtype: &str,
) -> Result<Vec<Row>, Error> {
    // The same hardware, as PyTorch calls it.
    let torch_device = if ["cpu", "ndarray"].contains(&device) { "cpu" } else { "cuda" };
    let (shapes, repeats) = (options.shapes.join(","), options.repeats.to_string());
    let (model, max_seconds) = (model.to_string_lossy(), options.max_seconds.to_string());
    let arguments = [
        "--model",
        &model,
        "--device",
        torch_device,
        "--dtype",
        dtype,
        "--shapes",
        &shapes,
        "--repeats",
        &repeats,
        "--max-seconds",
        &max_seconds,
    ];
    let output = match python::script_output(python, python::PEER, &arguments) {
        Ok(output) => output,
        Err(error) => {
            eprintln!("{PEER} {torch_device} {dtype}: {error}");
            return Ok(vec![]);
        }
    };
    let row = |line: &str| {
        let measured = serde_json::from_str(line).map_err(|error| Error::Program {
            program: PEER.to_owned(),
            message: error.to_string(),
        })?;
        let (device, dtype) = (device.to_owned(), dtype.to_owned());
        Ok(Row { program: PEER.to_owned(), device, dtype, measured })
    };
    output.lines().map(row).collect()
}

fn table(rows: &[Row], earlier: Option<&Results>) -> String {
    let mut heading =
        vec!["device", "dtype", "shape", "tokens/s", "seconds", "runs", "peak", "cold start"];
    let has_peer = rows.iter().any(|row| row.program == PEER);
    heading.extend(has_peer.then_some("peer tokens/s"));
    heading.extend(has_peer.then_some("ratio to peer"));
    heading.extend(earlier.map(|_| "ratio to earlier"));
    let mut table = grid(&heading);
    let same = |row: &Row, other: &Row| {
        (&row.device, &row.dtype, &row.measured.shape)
            == (&other.device, &other.dtype, &other.measured.shape)
    };
    for row in rows.iter().filter(|row| row.program == OURS) {
        let Row { device, dtype, measured, .. } = row;
        let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
        let mut cells = vec![
            device.clone(),
            dtype.clone(),
            measured.shape.clone(),
            format!("{:.1}", measured.tokens_per_second),
            format!("{:.3}", measured.median_seconds),
            measured.repeats.to_string(),
            measured.peak_bytes.map_or("?".to_owned(), mebibytes),
            format!("{:.2} s", measured.cold_start_seconds),
        ];
        let ratio = |other: Option<&Row>| match other {
            Some(other) => {
                format!("{:.2}", measured.tokens_per_second / other.measured.tokens_per_second)
            }
            None => "-".to_owned(),
        };
        if has_peer {
            let peer = rows.iter().find(|other| other.program == PEER && same(row, other));
            let speed = peer.map(|peer| format!("{:.1}", peer.measured.tokens_per_second));
            cells.push(speed.unwrap_or("-".to_owned()));
            cells.push(ratio(peer));
        }
        if let Some(earlier) = earlier {
            let of_ours = |other: &&Row| other.program == OURS && same(row, other);
            cells.push(ratio(earlier.rows.iter().find(of_ours)));
        }
        table.add_row(cells);
    }
    format!("{}\n", table.trim_fmt())
}

/// Of sorted numbers.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[1.0, 2.0, 9.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
    }

    #[test]
    fn ratios_are_of_the_same_shape_and_device() {
        let row = |program: &str, shape: &str, tokens_per_second| Row {
            program: program.to_owned(),
            device: "cpu".to_owned(),
            dtype: "f32".to_owned(),
            measured: Measured {
                shape: shape.to_owned(),
                tokens: 1,
                repeats: 1,
                median_seconds: 1.0,
                min_seconds: 1.0,
                max_seconds: 1.0,
                tokens_per_second,
                cold_start_seconds: 1.0,
                peak_bytes: None,
            },
        };
        let rows = [row(OURS, "1x16", 30.0), row(PEER, "1x16", 10.0), row(OURS, "8x8", 5.0)];
        let rows_before = vec![row(OURS, "8x8", 4.0)];
        let earlier = Results { machine: String::new(), size: String::new(), rows: rows_before };
        let text = table(&rows, Some(&earlier));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("10.0           3.00           -"), "{text}");
        assert!(lines[2].ends_with("1.25"), "{text}");
    }
}
