//! Errors of the engine as the exceptions of `qwen3_burn.errors`.

use pyo3::prelude::*;
use qwen3_engine::{Error, TextError};
use std::error::Error as _;

/// Where the exceptions are, and what they mean.
const MODULE: &str = "qwen3_burn.errors";

/// The exception for an error of the engine.
pub fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    let input = match error {
        Error::Input { input, .. } | Error::NonFinite { input, .. } => Some(*input),
        _ => None,
    };
    exception(py, class(error), &with_causes(error), input)
}

/// The exception for an argument that can't be.
pub fn option_error(py: Python<'_>, message: &str) -> PyErr {
    exception(py, "OptionError", message, None)
}

/// The exception for a text that can't be read.
pub fn input_error(py: Python<'_>, input: usize, reason: &str) -> PyErr {
    exception(py, "InputError", &format!("input {input}: {reason}"), Some(input))
}

/// The exception for a call in a process that has no threads of the model.
pub fn fork_error(py: Python<'_>) -> PyErr {
    let message = "the model was loaded before this process was forked, and its threads stayed behind; load it in each process, or start processes with `spawn`";
    exception(py, "DeviceError", message, None)
}

fn exception(py: Python<'_>, class: &str, message: &str, input: Option<usize>) -> PyErr {
    let made = || {
        let exception = py.import(MODULE)?.getattr(class)?.call1((message,))?;
        if input.is_some() {
            exception.setattr("input", input)?;
        }
        Ok(exception)
    };
    made().map_or_else(|error: PyErr| error, PyErr::from_value)
}

fn class(error: &Error) -> &'static str {
    if error.is_of_input() {
        return "InputError";
    }
    match error {
        Error::Text(error) => class_of_text(error),
        Error::Option { .. }
        | Error::Dimensions { .. }
        | Error::Revision { .. }
        | Error::MiniRevision { .. } => "OptionError",
        Error::NoSuchModel { .. }
        | Error::NoSuchFile { .. }
        | Error::NotAModel { .. }
        | Error::NotAModelOnHub { .. }
        | Error::GgufInFolder { .. }
        | Error::NoMini
        | Error::NoSuchGguf { .. } => "ModelNotFoundError",
        Error::Offline { .. }
        | Error::GgufNotCached { .. }
        | Error::Download { .. }
        | Error::DownloadThread { .. }
        | Error::Checksum { .. }
        | Error::Endpoint { .. }
        | Error::Cache { .. }
        | Error::NoCacheFolder => "DownloadError",
        Error::OutOfMemory { .. } => "OutOfMemoryError",
        Error::NotBuilt { .. }
        | Error::DeviceUnavailable { .. }
        | Error::NoDevice { .. }
        | Error::DtypeUnsupported { .. }
        | Error::DeviceLost { .. }
        | Error::Device { .. }
        | Error::Threads { .. }
        | Error::NonFinite { .. } => "DeviceError",
        _ => "ModelError",
    }
}

/// Of what tokenizers say: of an option, of a text, or of the model's files.
fn class_of_text(error: &TextError) -> &'static str {
    match error {
        TextError::UnknownPrompt { .. }
        | TextError::LimitTooSmall { .. }
        | TextError::UnknownTruncate { .. }
        | TextError::UnknownSpecialTokens { .. } => "OptionError",
        TextError::TooLong { .. }
        | TextError::Unbroken { .. }
        | TextError::SpecialToken { .. }
        | TextError::Tokenize { .. } => "InputError",
        _ => "ModelError",
    }
}

/// The message, and what caused it.
fn with_causes(error: &Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !message.contains(&said) {
            message = format!("{message}: {said}");
        }
        cause = error.source();
    }
    message
}
