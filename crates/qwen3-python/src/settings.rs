//! What Python passes when a model is loaded, and with each call.

use crate::errors::{fork_error, input_error, option_error, to_python};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyList;
use qwen3_engine::{DeviceChoice, DtypeChoice, HubToken, Kind, Options, Prompts, Source, Truncate};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::process;
use std::str::FromStr;

/// Where a model is: a `str` may be a name, a path is a path.
#[derive(FromPyObject)]
pub enum Place {
    /// A hub id, `mini`, or a path where something lies.
    Named(String),
    /// A folder or a file.
    Path(PathBuf),
}

/// How a model is loaded. `None` stands for the engine's default.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Settings {
    device: Option<String>,
    dtype: Option<String>,
    threads: Option<usize>,
    max_batch_tokens: Option<usize>,
    max_tokens: Option<usize>,
    truncate: Option<String>,
    special_tokens: Option<String>,
    kind: Option<String>,
    revision: Option<String>,
    cache_folder: Option<PathBuf>,
    token: Option<String>,
}

impl Settings {
    /// Where the model is, and how it is loaded.
    pub fn read(self, py: Python<'_>, place: Place) -> PyResult<(Source, Options)> {
        let mut source = match place {
            Place::Named(name) => Source::new(name),
            Place::Path(path) => Source::new(path),
        };
        source.kind = named::<Kind>(py, "kind", self.kind)?;
        source.revision = self.revision;
        source.cache_folder = self.cache_folder;
        source.token = self.token.map(HubToken::from);
        let mut options = Options::default()
            .device(named::<DeviceChoice>(py, "device", self.device)?.unwrap_or_default())
            .dtype(named::<DtypeChoice>(py, "dtype", self.dtype)?.unwrap_or_default())
            .threads(self.threads)
            .max_batch_tokens(self.max_batch_tokens)
            .max_tokens(self.max_tokens)
            .truncate(named::<Truncate>(py, "truncate", self.truncate)?.unwrap_or_default());
        options.special_tokens = named(py, "special_tokens", self.special_tokens)?;
        Ok((source, options))
    }
}

/// The value that a name stands for, if one is given.
fn named<T: FromStr<Err: Display>>(
    py: Python<'_>,
    option: &str,
    name: Option<String>,
) -> PyResult<Option<T>> {
    let value = name.map(|name| name.parse()).transpose();
    value.map_err(|error: T::Err| option_error(py, &format!("option `{option}`: {error}")))
}

/// The texts of a list.
pub fn texts(list: &Bound<'_, PyList>) -> PyResult<Vec<PyBackedStr>> {
    let text = |(index, item): (usize, Bound<'_, PyAny>)| {
        item.extract().map_err(|error: PyErr| {
            input_error(list.py(), index, &error.value(list.py()).to_string())
        })
    };
    list.iter().enumerate().map(text).collect()
}

/// The process that a model was loaded in. A fork of it has none of its threads.
pub struct Process(u32);

impl Process {
    /// This one.
    pub fn current() -> Self {
        Self(process::id())
    }

    /// # Errors
    /// If this is another one.
    pub fn check(&self, py: Python<'_>) -> PyResult<()> {
        if self.0 == process::id() { Ok(()) } else { Err(fork_error(py)) }
    }
}

/// Prompts by their names.
pub fn named_prompts(py: Python<'_>, prompts: &Prompts) -> PyResult<BTreeMap<String, String>> {
    let named = |name: &str| {
        let prompt = quick(py, prompts.get(name).map_err(Into::into))?;
        Ok((name.to_owned(), prompt.to_owned()))
    };
    prompts.names().map(named).collect()
}

/// The result of a quick call of the engine.
pub fn quick<T>(py: Python<'_>, result: Result<T, qwen3_engine::Error>) -> PyResult<T> {
    result.map_err(|error| to_python(py, &error))
}
