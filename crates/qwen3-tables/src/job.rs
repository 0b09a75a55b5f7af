//! What a run computes, and from what: told apart from another run's.

use crate::causes::FilesChange;
use crate::error::TableError;
use crate::input::InputFile;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// All that the output depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Settings by their names, which errors use.
    pub settings: BTreeMap<String, String>,
    /// The files that are read.
    pub inputs: Vec<Source>,
}

/// A file of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name without its folder, which may be moved.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    /// Of its bytes; `None`: this run doesn't read the file.
    hash: Option<String>,
}

impl Source {
    /// Looks at a file, and reads all of it once if `is_read`.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn of(file: &InputFile, is_read: bool) -> Result<Self, TableError> {
        let path = &file.path;
        let described = described(path).map_err(TableError::read(path))?;
        let hash = if is_read { Some(hash(path).map_err(TableError::read(path))?) } else { None };
        Ok(Self { hash, ..described })
    }

    /// Whether a file still is what this says.
    fn is(&self, now: &Self, path: &Path) -> io::Result<bool> {
        if (&self.name, self.bytes) != (&now.name, now.bytes) {
            return Ok(false);
        }
        let Some(before) = &self.hash else { return Ok(true) };
        match &now.hash {
            Some(now) => Ok(before == now),
            // Copied or touched, maybe.
            None => Ok(self.modified == now.modified || *before == hash(path)?),
        }
    }
}

fn described(path: &Path) -> io::Result<Source> {
    let metadata = path.metadata()?;
    let since_1970 = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let modified = since_1970.as_nanos() as u64;
    Ok(Source { name, bytes: metadata.len(), modified, hash: None })
}

/// Of a file's bytes.
pub(crate) fn hash(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:032x}", hasher.digest128())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// The setting that may be changed from `error`: what was finished under it is right under any.
const ON_NULL: (&str, &str) = ("on-null", "error");

impl Job {
    /// What a part's results depend on, beside the input.
    pub fn digest(&self) -> String {
        let settings = self.settings.iter().filter(|(name, _)| *name != ON_NULL.0);
        let settings = serde_json::to_string(&settings.collect::<BTreeMap<_, _>>());
        let inputs = serde_json::to_string(
            &self.inputs.iter().map(|it| (&it.name, it.bytes)).collect::<Vec<_>>(),
        );
        let all = [settings, inputs].map(|part| part.expect("strings and numbers are always JSON"));
        format!("{:016x}", xxh3_64(all.concat().as_bytes()))
    }

    /// Names and hashes of the files.
    pub(crate) fn contents(&self) -> Vec<(&str, u64, Option<&str>)> {
        self.inputs.iter().map(|of| (&*of.name, of.bytes, of.hash.as_deref())).collect()
    }

    /// # Errors
    /// If an earlier run, `before`, with its output in `path`, computed something else, or from
    /// something else than the files `inputs` are now.
    pub(crate) fn check(
        &self,
        before: &Self,
        path: &Path,
        inputs: &[InputFile],
    ) -> Result<(), TableError> {
        self.check_settings(&before.settings, path)?;
        if let Some(change) = files_change(&before.inputs, &self.inputs, inputs) {
            return Err(TableError::OtherFiles { path: path.to_owned(), change });
        }
        for ((was, now), file) in before.inputs.iter().zip(&self.inputs).zip(inputs) {
            if !was.is(now, &file.path).map_err(TableError::read(&file.path))? {
                let (path, input) = (path.to_owned(), file.path.clone());
                return Err(TableError::OtherInput { path, input });
            }
        }
        Ok(())
    }

    /// # Errors
    /// If a run with its output in `path` had other settings.
    pub(crate) fn check_settings(
        &self,
        before: &BTreeMap<String, String>,
        path: &Path,
    ) -> Result<(), TableError> {
        for (name, now) in &self.settings {
            let was = before.get(name).map_or("none", String::as_str);
            if now != was && (name.as_str(), was) != ON_NULL {
                let before = format!("{name} {was}");
                let (path, now) = (path.to_owned(), now.clone());
                return Err(TableError::OtherJob { path, before, now });
            }
        }
        Ok(())
    }
}

/// How the names of files differ from those before, if they do.
fn files_change(before: &[Source], now: &[Source], files: &[InputFile]) -> Option<FilesChange> {
    let names = |sources: &[Source]| -> Vec<String> {
        sources.iter().map(|source| source.name.clone()).collect()
    };
    let (before, now) = (names(before), names(now));
    let place = (0..before.len().max(now.len())).find(|&at| before.get(at) != now.get(at))?;
    if let Some(gone) = first_missing(&before, &now) {
        return Some(FilesChange::Gone { name: before[gone].clone() });
    }
    let path = |at: usize| files[at].path.clone();
    if let Some(new) = first_missing(&now, &before) {
        return Some(FilesChange::New { path: path(new) });
    }
    Some(FilesChange::Order { before: before[place].clone(), now: path(place) })
}

/// The first name that isn't among others as often.
fn first_missing(names: &[String], others: &[String]) -> Option<usize> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    others.iter().for_each(|name| *left.entry(name).or_default() += 1);
    let is_missing = |name: &String| match left.get_mut(name.as_str()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    names.iter().position(is_missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::TableFormat;

    #[test]
    fn the_file_that_came_went_or_moved_is_named() {
        let change = |before: &[&str], now: &[&str]| {
            let source = |name: &&str| Source {
                name: (*name).to_owned(),
                bytes: 0,
                modified: 0,
                hash: None,
            };
            let file = |name: &&str| InputFile { path: name.into(), format: TableFormat::Parquet };
            let sources = |names: &[&str]| names.iter().map(source).collect::<Vec<_>>();
            let files: Vec<InputFile> = now.iter().map(file).collect();
            files_change(&sources(before), &sources(now), &files).map(|it| it.to_string())
        };
        let says = |before: &[&str], now: &[&str], words: &str| {
            let said = change(before, now).unwrap();
            assert!(said.contains(words), "{said}");
        };
        assert_eq!(change(&["a", "b", "a"], &["a", "b", "a"]), None);
        says(&["a", "b"], &["b"], "with `a` too");
        says(&["a", "a"], &["a"], "with `a` too");
        says(&["b"], &["a", "b"], "without `a`");
        says(&["a", "b", "c"], &["a", "c", "b"], "`b` stood where `c` is now");
    }
}
