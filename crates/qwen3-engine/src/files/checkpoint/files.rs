//! The files that a checkpoint consists of.

use super::{Checkpoint, Inside};
use crate::error::Error;
use crate::files::folder::{INDEX, SIDE_FILES, SINGLE, names, parse};
use crate::files::mini::place;
use crate::files::portable::inside;
use crate::progress::Hooks;
use qwen3::index::files_of_index;
use qwen3::{Dtype, Layout, files};
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// No file in a portable one is larger; a tokenizer takes 11 MB.
const MAX_INSIDE_BYTES: u64 = 32 << 20;

impl Checkpoint {
    /// What it is called: the name of its folder, of its file without the ending, or of the
    /// model on the hub that the folder is a snapshot of.
    pub fn name(&self) -> String {
        let path = place(self.path());
        let name = names(path).swap_remove(0);
        match Path::new(&name).file_stem() {
            Some(stem) if path.is_file() => stem.to_string_lossy().into_owned(),
            _ => name,
        }
    }

    /// Looks at every number of the weights, in whatever dtype they are stored.
    ///
    /// # Errors
    /// If one is NaN or infinity, which names its tensor, or `hooks` say that it is cancelled.
    pub fn check_numbers(&self, hooks: &Hooks) -> Result<(), Error> {
        for stored in self.weights.tensors()? {
            hooks.check()?;
            self.weights.check_finite(stored.name)?;
        }
        Ok(())
    }

    /// How the matrices are stored, that of the most numbers first.
    ///
    /// # Errors
    /// If one is in no format that is read here.
    pub fn dtypes(&self) -> Result<Vec<Dtype>, Error> {
        let mut counted: Vec<(Dtype, usize)> = vec![];
        for stored in self.weights.tensors()?.iter().filter(|stored| stored.shape.len() == 2) {
            let numbers: usize = stored.shape.iter().product();
            match counted.iter_mut().find(|(dtype, _)| *dtype == stored.dtype) {
                Some((_, count)) => *count += numbers,
                None => counted.push((stored.dtype, numbers)),
            }
        }
        counted.sort_by_key(|(_, count)| Reverse(*count));
        Ok(counted.into_iter().map(|(dtype, _)| dtype).collect())
    }

    /// How the blocks of linear layers are laid out: as [`Layout::Strips`] where any are.
    ///
    /// # Errors
    /// As [`Checkpoint::dtypes`].
    pub fn layout(&self) -> Result<Layout, Error> {
        let mut tensors = self.weights.tensors()?.into_iter();
        let are_strips = tensors.any(|stored| stored.layout == Layout::Strips);
        Ok(if are_strips { Layout::Strips } else { Layout::Rows })
    }

    /// Whether it is a GGUF file.
    pub fn is_gguf(&self) -> bool {
        matches!(self.inside, Some(Inside::Gguf(_)))
    }

    /// The files that the model consists of, by their names in its folder: the
    /// one file that holds all, or the weights and those beside them that are used. None
    /// for a part of the program.
    ///
    /// # Errors
    /// If the index of the weights can't be read.
    pub fn source_files(&self) -> Result<Vec<(String, PathBuf)>, Error> {
        let Some(path) = &self.path else { return Ok(vec![]) };
        if self.inside.is_some() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            return Ok(vec![(name.into_owned(), path.clone())]);
        }
        let mut names = self.side_files();
        names.push(SINGLE.to_owned());
        if !self.path_of(SINGLE).exists() {
            names.push(INDEX.to_owned());
            names.extend(files_of_index(&self.path_of(INDEX))?);
        }
        let files = names.into_iter().map(|name| (self.path_of(&name), name));
        let files = files.filter(|(path, _)| path.exists()).map(|(path, name)| {
            files::check_regular(&path)?;
            Ok((name, path))
        });
        files.collect()
    }

    /// The names of all files beside the weights that are used, where they are there.
    pub(crate) fn side_files(&self) -> Vec<String> {
        let mut names: Vec<String> = SIDE_FILES.map(str::to_owned).to_vec();
        names.extend(self.modules.configs().map(str::to_owned));
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// Where a file of this name is, or would be; for messages. What stands in the metadata of
    /// a GGUF file is in that file.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        if let (Some(path), true) = (self.path(), self.is_gguf()) {
            return path.to_owned();
        }
        inside(place(self.path.as_deref()), name)
    }

    /// A file beside the weights, or in them.
    pub(crate) fn file(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, Error> {
        if let Some(inside) = &self.inside {
            let Some(content) = inside.file(name) else { return Ok(None) };
            if content.len() as u64 > MAX_INSIDE_BYTES {
                let (path, max_bytes) = (self.path_of(name), MAX_INSIDE_BYTES);
                return Err(qwen3::Error::TooLarge { path, max_bytes }.into());
            }
            return Ok(Some(Cow::Borrowed(content)));
        }
        match files::read(&self.path_of(name)) {
            Ok(content) => Ok(Some(Cow::Owned(content))),
            Err(qwen3::Error::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The same of a file without which nothing runs.
    pub(crate) fn needed(&self, name: &str) -> Result<Cow<'_, [u8]>, Error> {
        self.file(name)?.ok_or_else(|| missing(self.path.as_deref(), name))
    }

    pub(super) fn side_file<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.file(name)?.map(|json| parse(&json, &self.path_of(name))).transpose()
    }
}

impl Inside {
    fn file(&self, name: &str) -> Option<&[u8]> {
        match self {
            Self::Portable(portable) => portable.file(name),
            Self::Gguf(gguf) => gguf.file(name),
        }
    }
}

pub(super) fn missing(path: Option<&Path>, name: &str) -> Error {
    Error::Read { path: inside(place(path), name), source: ErrorKind::NotFound.into() }
}
