//! The folder of results, and whether this run may have it.

use super::state::{self, Saved, State};
use crate::error::Error;
use crate::settings::Settings;
use qwen3_engine::Checkpoint;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A folder that results go to.
#[derive(Debug)]
pub(crate) struct OutFolder {
    path: PathBuf,
    /// A run of before that may go on.
    state: Option<State>,
}

impl OutFolder {
    /// Makes the folder, or finds what is in it.
    ///
    /// # Errors
    /// If it holds something that is no run and may not be replaced, is the model's own, or
    /// can't be written.
    pub fn open(path: &Path, model: &Checkpoint, settings: &Settings) -> Result<Self, Error> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let is_own = || Some(path.canonicalize().ok()? == model.path()?.canonicalize().ok()?);
        if is_own() == Some(true) {
            return Err(Error::OwnSource { path: path.to_owned() });
        }
        let folder = path.join(state::FOLDER);
        if settings.force {
            state::remove(&folder)?;
        }
        let state = state::read(&folder)?;
        if state.is_none() {
            if settings.resume {
                return Err(Error::NothingToResume { folder: path.to_owned() });
            }
            if !settings.force && holds_others(path).map_err(failed)? {
                return Err(Error::Exists { path: path.to_owned() });
            }
        }
        Ok(Self { path: path.to_owned(), state })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Steps of the run that was left here.
    pub fn saved_step(&self) -> Option<u64> {
        self.state.as_ref().map(|state| state.step)
    }

    /// Where the run's checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join(state::FOLDER)
    }

    /// The run that was left here, if it has the same settings.
    ///
    /// # Errors
    /// If it has others, or its files can't be read.
    pub fn saved(&self, identity: &Value) -> Result<Option<Saved>, Error> {
        let Some(state) = &self.state else { return Ok(None) };
        // As it is once it was written and read.
        let now: Value = serde_json::from_str(&identity.to_string()).expect("it was just written");
        let keys = now.as_object().into_iter().flat_map(|settings| settings.keys());
        for key in keys {
            if state.identity.get(key) != now.get(key) {
                let told =
                    |value: Option<&Value>| value.map_or("unset".to_owned(), Value::to_string);
                return Err(Error::OtherRun {
                    folder: self.path.clone(),
                    setting: key.clone(),
                    saved: told(state.identity.get(key)),
                    now: told(now.get(key)),
                });
            }
        }
        state::load(&self.checkpoints(), state.clone()).map(Some)
    }
}

/// Whether there is anything that no run leaves which was killed before its first checkpoint.
fn holds_others(path: &Path) -> io::Result<bool> {
    const OURS: [&str; 3] = [state::FOLDER, "log.jsonl", "loss.svg"];
    for entry in fs::read_dir(path)? {
        if !OURS.contains(&&*entry?.file_name().to_string_lossy()) {
            return Ok(true);
        }
    }
    Ok(false)
}
