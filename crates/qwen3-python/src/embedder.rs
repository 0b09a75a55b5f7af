//! The engine's embedder as a Python object.

use crate::calls::run;
use crate::settings::{Place, Process, Settings, named_prompts, quick, texts};
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyList;
use qwen3_engine::{EncodeOptions, Hooks, Prompt};
use std::collections::BTreeMap;

/// A loaded embedding model.
#[pyclass(frozen, module = "qwen3_burn._core")]
pub struct Embedder {
    model: qwen3_engine::Embedder,
    process: Process,
}

/// What one call chooses.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Choices {
    prompt: String,
    dimensions: Option<usize>,
    normalize: bool,
    max_tokens: Option<usize>,
    progress: Option<Py<PyAny>>,
}

impl Choices {
    /// The engine's options but for the hooks, and the function that hears of steps.
    fn read(self) -> (EncodeOptions, Option<Py<PyAny>>) {
        let options = EncodeOptions::default()
            .prompt(Prompt::Text(self.prompt))
            .dimensions(self.dimensions)
            .normalize(self.normalize)
            .max_tokens(self.max_tokens);
        (options, self.progress)
    }
}

#[pymethods]
impl Embedder {
    #[new]
    fn new(
        py: Python<'_>,
        model: Place,
        settings: Settings,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let (source, options) = settings.read(py, model)?;
        let load = |hooks: Hooks| qwen3_engine::Embedder::load(source, &options.hooks(hooks));
        Ok(Self { model: run(py, progress, load)?, process: Process::current() })
    }

    /// A row of float32 for each text.
    fn encode<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyList>,
        choices: Choices,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        self.process.check(py)?;
        let texts = texts(inputs)?;
        let (options, progress) = choices.read();
        let columns = quick(py, self.model.host().dimensions(options.dimensions))?;
        let numbers = run(py, progress, |hooks| {
            let inputs = texts.iter().map(|text| &**text);
            let embeddings = self.model.encode(inputs, &options.hooks(hooks))?;
            let mut numbers = Vec::with_capacity(embeddings.len() * columns);
            for embedding in embeddings {
                numbers.extend_from_slice(&embedding.vector);
            }
            Ok(numbers)
        })?;
        PyArray1::from_vec(py, numbers).reshape([texts.len(), columns])
    }

    /// A matrix of float32 for each text, a row for each token.
    fn token_embeddings<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyList>,
        choices: Choices,
    ) -> PyResult<Vec<Bound<'py, PyArray2<f32>>>> {
        self.process.check(py)?;
        let texts = texts(inputs)?;
        let (options, progress) = choices.read();
        let embeddings = run(py, progress, |hooks| {
            let inputs = texts.iter().map(|text| &**text);
            self.model.token_embeddings(inputs, &options.hooks(hooks))
        })?;
        let columns = self.model.max_dimensions();
        let matrix = |vectors: Vec<Vec<f32>>| {
            let rows = vectors.len();
            PyArray1::from_vec(py, vectors.concat()).reshape([rows, columns])
        };
        embeddings.into_iter().map(|embedding| matrix(embedding.vectors)).collect()
    }

    /// The model's prompts by their names.
    #[getter]
    fn prompts(&self, py: Python<'_>) -> PyResult<BTreeMap<String, String>> {
        named_prompts(py, self.model.host().prompts())
    }

    #[getter]
    fn default_prompt_name(&self) -> Option<&str> {
        self.model.host().prompts().default_prompt_name()
    }

    #[getter]
    fn similarity_fn_name(&self) -> String {
        self.model.host().similarity().to_string()
    }

    #[getter]
    fn leaves_length(&self) -> bool {
        self.model.host().leaves_length()
    }

    #[getter]
    fn dimensions(&self) -> usize {
        self.model.max_dimensions()
    }

    #[getter]
    fn max_tokens(&self) -> usize {
        self.model.host().limit().max_tokens
    }

    #[getter]
    fn device(&self) -> String {
        self.model.device().to_string()
    }

    #[getter]
    fn dtype(&self) -> String {
        self.model.dtype().to_string()
    }

    /// Devices that were passed over, and why.
    #[getter]
    fn fallbacks(&self) -> Vec<String> {
        self.model.fallbacks().iter().map(ToString::to_string).collect()
    }

    /// # Errors
    /// If texts can't have as many tokens.
    fn check_max_tokens(&self, py: Python<'_>, max_tokens: usize) -> PyResult<()> {
        quick(py, self.model.host().limit_of(Some(max_tokens)).map(drop))
    }
}
