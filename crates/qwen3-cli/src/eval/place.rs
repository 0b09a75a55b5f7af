//! Where data are: on this machine, or on the hub.

use super::error::EvalError;
use crate::error::Error;
use qwen3_engine::{DataSet, Error as EngineError, Hooks};
use qwen3_eval::is_data_file;
use std::path::{Path, PathBuf};

/// Names of files that an error says.
const MOST_FILES: usize = 5;

/// The files of data.
#[derive(Clone, Debug)]
pub struct Place {
    /// A file or a folder.
    pub path: PathBuf,
    /// What data of the hub are called.
    pub name: Option<String>,
    /// Their commit.
    pub revision: Option<String>,
}

impl Place {
    /// Finds what is called so, and downloads it if it is a data set of the hub.
    pub fn find(asked: &Path, revision: Option<&String>, hooks: &Hooks) -> Result<Self, Error> {
        let on_hub = asked.to_str().filter(|name| !asked.exists() && !is_data_file(name));
        let Some(data_set) = on_hub.and_then(DataSet::parse) else {
            return Ok(Self { path: asked.to_owned(), name: None, revision: None });
        };
        let mut data_set = data_set;
        data_set.revision = revision.cloned();
        let name = data_set.to_string();
        let files = data_set.locate(is_data_file, hooks).map_err(|error| match error {
            EngineError::Download { .. } | EngineError::Offline { .. } => {
                Error::from(EvalError::NoDataSet { name: name.clone(), reason: Box::new(error) })
            }
            error => error.into(),
        })?;
        if !files.folder.is_dir() {
            let mut found = files.left_out;
            if found.len() > MOST_FILES {
                found.splice(MOST_FILES.., ["…".to_owned()]);
            }
            let found = found.join(", ");
            return Err(EvalError::EmptyDataSet { name, found }.into());
        }
        let called = name.split('/').skip(1).collect::<Vec<_>>().join("-");
        Ok(Self { path: files.folder, name: Some(called), revision: Some(files.revision) })
    }
}
