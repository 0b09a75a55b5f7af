//! Checkpoints: all that a run needs to go on to the same numbers.
//!
//! `state.json` names the file of tensors that belongs to it and replaces its forerunner
//! in one go, so whenever a run is ended there is one that is whole.

use crate::error::Error;
use crate::output::tensors::{Entry, write_tensors};
use qwen3_engine::internals::training::NamedTensor;
use qwen3_engine::{Dtype, NewFile};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The folder in that of the results.
pub const FOLDER: &str = "checkpoint";
const STATE: &str = "state.json";
const BEST: &str = "best.safetensors";
const VERSION: u32 = 1;

/// Where a run is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// All that decides the run's numbers.
    pub identity: Value,
    /// Steps that are done. They tell the place in the data too.
    pub step: u64,
    /// Whether the held-out data is still to be looked at after that step.
    pub is_unmeasured: bool,
    /// Seconds of all steps.
    pub seconds: f64,
    /// The best look at the held-out data, if the run may end early.
    pub best: Option<Best>,
    /// Looks since then.
    pub worse: u32,
    /// The file of tensors.
    tensors: String,
}

/// The best look at the held-out data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    pub step: u64,
    pub measure: f64,
}

/// A checkpoint that was read.
pub struct Saved {
    pub state: State,
    /// Parameters and moments.
    pub tensors: Vec<NamedTensor>,
}

impl State {
    pub fn new(identity: Value) -> Self {
        Self {
            version: VERSION,
            identity,
            step: 0,
            is_unmeasured: true,
            seconds: 0.0,
            best: None,
            worse: 0,
            tensors: String::new(),
        }
    }
}

/// The state that was left in `folder`, if there is one.
pub fn read(folder: &Path) -> Result<Option<State>, Error> {
    let path = folder.join(STATE);
    let json = match fs::read(&path) {
        Ok(json) => json,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Read { path, source }),
    };
    let wrong = |what: String| Error::State { path: path.clone(), what };
    let state: State = serde_json::from_slice(&json).map_err(|error| wrong(error.to_string()))?;
    match state.version {
        VERSION => Ok(Some(state)),
        other => Err(wrong(format!("it has version {other}, known is {VERSION}"))),
    }
}

/// The tensors of a state.
pub fn load(folder: &Path, state: State) -> Result<Saved, Error> {
    // A name that leads out of the folder is none of ours.
    let name = Path::new(&state.tensors).file_name().unwrap_or_default();
    let tensors = tensors(&folder.join(name))?;
    Ok(Saved { state, tensors })
}

/// Writes a checkpoint: parameters and moments, then the state that names their file.
pub fn save(folder: &Path, state: &mut State, tensors: Vec<NamedTensor>) -> Result<(), Error> {
    let name = format!("step-{}.safetensors", state.step);
    write(&folder.join(&name), tensors)?;
    state.tensors.clone_from(&name);
    let path = folder.join(STATE);
    let failed = |source: io::Error| Error::Write { path: path.clone(), source };
    let mut file = NewFile::create(&path).map_err(failed)?;
    let json = serde_json::to_vec_pretty(&state).expect("a struct of plain values");
    file.write_all(&json).and_then(|()| file.replace()).map_err(failed)?;
    remove_others(folder, &name);
    Ok(())
}

/// Keeps the weights that were best so far.
pub fn save_best(folder: &Path, trained: Vec<NamedTensor>) -> Result<(), Error> {
    write(&folder.join(BEST), trained)
}

/// The weights that were best.
pub fn load_best(folder: &Path) -> Result<Vec<NamedTensor>, Error> {
    tensors(&folder.join(BEST))
}

/// Removes all checkpoints.
pub fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::Write { path: folder.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

fn remove_others(folder: &Path, name: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let found = found.to_string_lossy();
        if found.starts_with("step-") && found != name {
            // One that stays is no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn write(path: &Path, mut tensors: Vec<NamedTensor>) -> Result<(), Error> {
    let entries = tensors.iter().map(|tensor| Entry {
        key: tensor.name.clone(),
        shape: tensor.shape.clone(),
        dtype: Dtype::F32,
    });
    let entries: Vec<Entry> = entries.collect();
    write_tensors(path, entries, |index| Ok(std::mem::take(&mut tensors[index].values)))
}

fn tensors(path: &PathBuf) -> Result<Vec<NamedTensor>, Error> {
    let wrong = |what: String| Error::State { path: path.clone(), what };
    let bytes = fs::read(path).map_err(|source| Error::Read { path: path.clone(), source })?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
    let tensors = file.iter().map(|(name, view)| {
        if view.dtype() != safetensors::Dtype::F32 {
            return Err(wrong(format!("`{name}` is not float32")));
        }
        let numbers = view.data().chunks_exact(4);
        let values = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Ok(NamedTensor { name: name.to_owned(), shape: view.shape().to_vec(), values })
    });
    tensors.collect()
}
