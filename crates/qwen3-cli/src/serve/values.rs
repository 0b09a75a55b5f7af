//! Values of flags that are written in a way of their own.

use qwen3_engine::{Dtype, DtypeChoice, UnknownName};
use std::time::Duration;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

/// As text-embeddings-inference names them.
pub const OTHER_DTYPES: [(&str, Dtype); 3] =
    [("float32", Dtype::F32), ("float16", Dtype::F16), ("bfloat16", Dtype::Bf16)];

/// As text-embeddings-inference names them, and as we do.
pub fn dtype(name: &str) -> Result<DtypeChoice, UnknownName> {
    match OTHER_DTYPES.iter().find(|(other, _)| *other == name) {
        Some((_, dtype)) => Ok(DtypeChoice::Named(*dtype)),
        None => name.parse(),
    }
}

/// No value will do.
pub fn no_dense(_: &str) -> Result<String, &'static str> {
    Err("Qwen3 models have no dense module; leave it out")
}

/// A word alone must be a level: as the name of a module it would leave all others out.
pub fn log_level(text: &str) -> Result<String, String> {
    let is_clear = |part: &str| part.contains(['=', '[']) || part.parse::<LevelFilter>().is_ok();
    match text.split(',').all(|part| is_clear(part.trim())) && EnvFilter::try_new(text).is_ok() {
        true => Ok(text.to_owned()),
        false => Err("write a level such as `info`, or `qwen3_server=debug`".to_owned()),
    }
}

/// Permissions, in octal digits.
#[cfg(unix)]
pub fn mode(digits: &str) -> Result<u32, &'static str> {
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or("a mode is up to three octal digits, such as 660")
}

/// Such as `30s` or `10m`.
pub fn time(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}
