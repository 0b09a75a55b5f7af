//! The engine's reranker as a Python object.

use crate::calls::run;
use crate::settings::{Place, Process, Settings, named_prompts, quick, texts};
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyList;
use qwen3_engine::{Hooks, RankOptions};
use std::collections::BTreeMap;

/// A loaded reranker.
#[pyclass(frozen, module = "qwen3_burn._core")]
pub struct Reranker {
    model: qwen3_engine::Reranker,
    process: Process,
}

/// What one call chooses.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Choices {
    instruction: Option<String>,
    max_tokens: Option<usize>,
    progress: Option<Py<PyAny>>,
}

/// Of each pair the probability of "yes", and its log-odds.
type Scores<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>);

#[pymethods]
impl Reranker {
    #[new]
    fn new(
        py: Python<'_>,
        model: Place,
        settings: Settings,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let (source, options) = settings.read(py, model)?;
        let load = |hooks: Hooks| qwen3_engine::Reranker::load(source, &options.hooks(hooks));
        Ok(Self { model: run(py, progress, load)?, process: Process::current() })
    }

    /// The scores of pairs, whose halves are in two lists of the same length.
    fn score<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyList>,
        documents: &Bound<'py, PyList>,
        choices: Choices,
    ) -> PyResult<Scores<'py>> {
        self.process.check(py)?;
        let (queries, documents) = (texts(queries)?, texts(documents)?);
        let mut options = RankOptions::default().max_tokens(choices.max_tokens);
        options.instruction = choices.instruction;
        let scores = run(py, choices.progress, |hooks| {
            self.model.score(queries.iter().zip(&documents), &options.hooks(hooks))
        })?;
        Ok((
            PyArray1::from_iter(py, scores.iter().map(|score| score.score)),
            PyArray1::from_iter(py, scores.iter().map(|score| score.log_odds)),
        ))
    }

    /// The prompts that the model's files have, by their names.
    #[getter]
    fn prompts(&self, py: Python<'_>) -> PyResult<BTreeMap<String, String>> {
        let prompts = self.model.host().prompts();
        prompts.map_or_else(|| Ok(BTreeMap::new()), |prompts| named_prompts(py, prompts))
    }

    #[getter]
    fn default_prompt_name(&self) -> Option<&str> {
        self.model.host().prompts()?.default_prompt_name()
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
    /// If pairs can't have as many tokens.
    fn check_max_tokens(&self, py: Python<'_>, max_tokens: usize) -> PyResult<()> {
        quick(py, self.model.host().limit_of(Some(max_tokens)).map(drop))
    }
}
