//! What the doctor found, part by part: in lines for people, and in JSON for machines.

use qwen3_checks::Check;
use qwen3_engine::{Absent, Device, DeviceId, Dtype, Error, SelfCheck, Trusted};
use serde_json::{Value, json};
use std::fmt;

/// A line for people.
pub struct Line {
    pub mark: Mark,
    pub text: String,
}

/// What a line says about the parts of the report.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Heading,
    Passed,
    Failed,
    Warning,
    Unknown,
    Absent,
}

impl Mark {
    pub fn line(self, text: impl Into<String>) -> Line {
        Line { mark: self, text: text.into() }
    }

    fn of_check(ok: bool) -> Self {
        if ok { Self::Passed } else { Self::Failed }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Heading => "",
            Self::Passed => "[ok]",
            Self::Failed => "[FAIL]",
            Self::Warning => "[warn]",
            Self::Unknown => "[?]",
            Self::Absent => "[none]",
        })
    }
}

/// The whole, as JSON; its parts have been told in lines before.
pub struct Report {
    pub machine: Machine,
    pub devices: Vec<DeviceReport>,
    pub absent: Vec<Absent>,
    pub model: Option<ModelReport>,
    pub checks: usize,
    pub failed: usize,
}

impl Report {
    pub fn json(&self) -> Value {
        let Machine { version, os, arch, processor } = &self.machine;
        let absent = |absent: &Absent| json!({"device": absent.name, "reason": absent.reason});
        json!({
            "version": version, "os": os, "arch": arch, "processor": processor,
            "devices": self.devices.iter().map(DeviceReport::json).collect::<Vec<_>>(),
            "absent": self.absent.iter().map(absent).collect::<Vec<_>>(),
            "model": self.model.as_ref().map(ModelReport::json),
            "checks": self.checks, "failed": self.failed,
        })
    }
}

/// The program and what it runs on.
pub struct Machine {
    pub version: &'static str,
    pub os: &'static str,
    pub arch: &'static str,
    pub processor: String,
}

impl Machine {
    pub fn line(&self) -> Line {
        let Self { version, os, arch, processor } = self;
        Mark::Heading.line(format!("qwen3 {version}, {os} {arch}, {processor}"))
    }
}

/// A device in every dtype; the error is one that keeps it from being checked at all.
pub struct DeviceReport {
    pub device: Device,
    pub dtypes: Result<Vec<DtypeReport>, Error>,
}

impl DeviceReport {
    fn json(&self) -> Value {
        let Device { id, name, kind, driver, memory_bytes, .. } = &self.device;
        let dtypes = match &self.dtypes {
            Ok(dtypes) => dtypes.iter().map(DtypeReport::json).collect(),
            Err(error) => vec![json!({"error": error.to_string()})],
        };
        json!({
            "device": id.to_string(), "name": name, "kind": kind.to_string(), "driver": driver,
            "memory_bytes": memory_bytes, "dtypes": dtypes,
        })
    }
}

/// A device in one dtype, and its tokens per second if it can be trusted.
pub struct DtypeReport {
    pub device: DeviceId,
    pub check: SelfCheck,
    pub speed: Option<Result<f64, Error>>,
}

impl DtypeReport {
    pub fn lines(&self) -> Vec<Line> {
        let name = format!("{} {}", self.device, self.check.dtype);
        let trusted = match self.check.verdict() {
            Ok(trusted) => trusted,
            Err(reason) => {
                return vec![Mark::Failed.line(format!("{name}: can't be trusted: {reason}"))];
            }
        };
        let passed_over = self.check.passed_over.iter().map(|tried| {
            Mark::Warning.line(format!("{name}: not with {}: {}", tried.strategy, tried.reason))
        });
        let speed = self.speed.as_ref().map(|speed| match speed {
            Ok(speed) => Mark::Passed.line(format!("{name}: {}", self.praise(trusted, *speed))),
            Err(error) => {
                Mark::Failed.line(format!("{name}: right, but failed when measured: {error}"))
            }
        });
        passed_over.chain(speed).collect()
    }

    fn praise(&self, Trusted { strategy, cosine }: Trusted, speed: f64) -> String {
        // A processor has vector instructions instead.
        let by = match self.device {
            DeviceId::Cpu | DeviceId::NdArray => String::new(),
            _ => format!(" with {strategy}"),
        };
        let distance = (1.0 - cosine).max(0.0);
        format!(
            "trusted{by} (1 - cosine {distance:.0e}); about {speed:.0} tokens/s with a 0.6B model"
        )
    }

    fn json(&self) -> Value {
        let SelfCheck { dtype, trusted, passed_over } = &self.check;
        let passed_over = passed_over
            .iter()
            .map(|tried| json!({"products": tried.strategy.to_string(), "reason": tried.reason}));
        json!({
            "dtype": dtype.to_string(),
            "trusted": trusted.is_some(),
            "reason": self.check.verdict().err(),
            "products": trusted.map(|trusted| trusted.strategy.to_string()),
            "passed_over": passed_over.collect::<Vec<_>>(),
            "cosine": trusted.map(|trusted| trusted.cosine),
            "tokens_per_second": self.speed.as_ref().and_then(|speed| speed.as_ref().ok()),
        })
    }
}

/// A model's files, and the numbers that were published of it.
pub struct ModelReport {
    pub model: String,
    pub kind: String,
    pub files: Vec<FileReport>,
    pub weights: WeightsReport,
    pub numbers: Vec<NumbersReport>,
    /// On each device, where no numbers are published.
    pub computed: Vec<ComputedReport>,
}

impl ModelReport {
    fn json(&self) -> Value {
        let Self { model, kind, files, weights, numbers, computed } = self;
        json!({
            "model": model, "kind": kind,
            "files": files.iter().map(FileReport::json).collect::<Vec<_>>(),
            "weights": weights.json(),
            "numbers": numbers.iter().map(NumbersReport::json).collect::<Vec<_>>(),
            "computed": computed.iter().map(ComputedReport::json).collect::<Vec<_>>(),
        })
    }
}

/// A file of weights, and the model that it was published as.
pub struct FileReport {
    pub file: String,
    pub sha256: String,
    pub published_as: Option<&'static str>,
}

impl FileReport {
    pub fn line(&self) -> Line {
        let Self { file, sha256, published_as } = self;
        match published_as {
            Some(of) => Mark::Passed.line(format!("{file}: the published file of {of}")),
            None => Mark::Unknown
                .line(format!("{file}: not among the known published files, sha256 {sha256}")),
        }
    }

    fn json(&self) -> Value {
        let Self { file, sha256, published_as } = self;
        json!({"file": file, "sha256": sha256, "published_as": published_as})
    }
}

/// Whether all weights are numbers that something can be computed from.
pub struct WeightsReport(pub Result<(), Error>);

impl WeightsReport {
    pub fn line(&self) -> Line {
        match &self.0 {
            Ok(()) => Mark::Passed.line("every number of the weights is finite"),
            Err(error) => Mark::Failed.line(error.to_string()),
        }
    }

    fn json(&self) -> Value {
        json!({"ok": self.0.is_ok(), "error": self.0.as_ref().err().map(Error::to_string)})
    }
}

/// Whether the model loads on a device and computes there, and in which dtype.
pub struct ComputedReport {
    pub device: DeviceId,
    pub dtype: Result<Dtype, Error>,
}

impl ComputedReport {
    pub fn line(&self) -> Line {
        let Self { device, dtype } = self;
        match dtype {
            Ok(dtype) => Mark::Passed.line(format!("{device} {dtype}: loads, and computes a text")),
            Err(error) => Mark::Failed.line(format!("{device}: {error}")),
        }
    }

    fn json(&self) -> Value {
        let device = self.device.to_string();
        match &self.dtype {
            Ok(dtype) => json!({"device": device, "dtype": dtype.to_string()}),
            Err(error) => json!({"device": device, "error": error.to_string()}),
        }
    }
}

/// The published numbers as one device computes them.
pub struct NumbersReport {
    pub device: DeviceId,
    pub dtype: Dtype,
    pub checks: Result<Vec<Check>, qwen3_checks::Error>,
}

impl NumbersReport {
    pub fn lines(&self) -> Vec<Line> {
        let name = format!("{} {}", self.device, self.dtype);
        match &self.checks {
            Ok(checks) => {
                let line =
                    |check: &Check| Mark::of_check(check.ok()).line(format!("{name}: {check}"));
                checks.iter().map(line).collect()
            }
            Err(error) => vec![Mark::Failed.line(format!("{name}: {error}"))],
        }
    }

    fn json(&self) -> Value {
        let device = self.device.to_string();
        let checks = match &self.checks {
            Ok(checks) => checks.iter().map(|check| {
                json!({
                    "what": check.what, "source": check.source, "expected": check.expected,
                    "found": check.found, "tolerance": check.tolerance, "ok": check.ok(),
                })
            }),
            Err(error) => return json!({"device": device, "error": error.to_string()}),
        };
        json!({
            "device": device, "dtype": self.dtype.to_string(),
            "checks": checks.collect::<Vec<_>>(),
        })
    }
}
