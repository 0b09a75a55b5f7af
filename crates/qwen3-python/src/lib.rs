//! The compiled half of the Python package `qwen3_burn`: models of the engine as Python
//! objects, vectors as NumPy arrays, errors as exceptions.
//!
//! What is about Python's habits (names, defaults and arguments of sentence-transformers)
//! is in `python/qwen3_burn/`; nothing is computed here.

mod calls;
mod embedder;
mod errors;
mod reranker;
mod settings;

use pyo3::prelude::*;

/// Half of the package `qwen3_burn`; use that.
#[pymodule]
#[pyo3(name = "_core")]
mod core {
    #[pymodule_export]
    use super::devices;
    #[pymodule_export]
    use crate::embedder::Embedder;
    #[pymodule_export]
    use crate::reranker::Reranker;

    /// The version of the package.
    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}

/// The names of the devices of this machine that this build can use.
#[pyfunction]
fn devices(py: Python<'_>) -> Vec<String> {
    let found = py.detach(qwen3_engine::devices).found;
    found.iter().map(|device| device.id.to_string()).collect()
}
