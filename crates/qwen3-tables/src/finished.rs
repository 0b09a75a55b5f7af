//! What a file that is complete says of the run that made it.

use crate::error::TableError;
use crate::input::{InputFile, TableFormat};
use crate::job::{Job, hash};
use crate::read::Table;
use crate::write::OutputFormat;
use arrow_schema::Metadata;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

/// Its key in the metadata of a schema.
const KEY: &str = "qwen3_run";
/// What is put behind the name of a file that has no metadata.
const BESIDE: &str = ".qwen3.json";

/// All that the rows of a file depend on, so that a run is told from another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    settings: BTreeMap<String, String>,
    /// Of names and contents of all files.
    input: String,
    /// That were read.
    pub rows: u64,
}

/// The description of a file that has no metadata.
#[derive(Serialize, Deserialize)]
struct Beside {
    /// What the file's vectors are.
    qwen3: Value,
    qwen3_run: Finished,
    /// Of the file, as another one may have taken its place.
    xxh3: String,
}

impl Finished {
    /// Of a job that has read so many rows.
    pub fn new(job: &Job, rows: u64) -> Self {
        let inputs = serde_json::to_vec(&job.contents()).expect("strings are always JSON");
        let input = format!("{:032x}", xxh3_128(&inputs));
        Self { settings: job.settings.clone(), input, rows }
    }

    /// Puts it into the metadata of a schema.
    pub fn put_into(&self, metadata: &mut Metadata) {
        let text = serde_json::to_string(self).expect("strings and numbers are always JSON");
        metadata.insert(KEY, text);
    }

    /// Writes it beside a file of a format without metadata, with what the vectors are.
    ///
    /// # Errors
    /// If the file can't be read, or the description not be written.
    pub fn put_beside(self, path: &Path, facts: &Value) -> Result<(), TableError> {
        let xxh3 = hash(path).map_err(TableError::read(path))?;
        let all = Beside { qwen3: facts.clone(), qwen3_run: self, xxh3 };
        let text = serde_json::to_string_pretty(&all).expect("strings and numbers are always JSON");
        let beside = beside(path);
        fs::write(&beside, text).map_err(TableError::write(&beside))
    }

    /// What a file of a format says of itself, if a run has finished it and nobody has changed it
    /// since.
    pub fn of(path: &Path, format: OutputFormat) -> Option<Self> {
        let format = match format {
            OutputFormat::Parquet => TableFormat::Parquet,
            OutputFormat::Arrow => TableFormat::Arrow,
            OutputFormat::JsonLines | OutputFormat::Npy => {
                let beside = fs::read(beside(path)).ok()?;
                let beside: Beside = serde_json::from_slice(&beside).ok()?;
                return (beside.xxh3 == hash(path).ok()?).then_some(beside.qwen3_run);
            }
        };
        let table = Table::open(&InputFile { path: path.to_owned(), format }).ok()?;
        serde_json::from_str(table.schema().metadata().get(KEY)?).ok()
    }

    /// # Errors
    /// If another run than that of this job has finished the file `path`.
    pub fn check(&self, job: &Job, path: &Path) -> Result<(), TableError> {
        job.check_settings(&self.settings, path)?;
        match self.input == Self::new(job, self.rows).input {
            true => Ok(()),
            false => Err(TableError::OtherContents { path: path.to_owned() }),
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(BESIDE);
    path.with_file_name(name)
}
