//! Models that are one GGUF file, which is all that is downloaded of them.

use super::super::gguf::choose;
use super::super::names::{HubName, Revision};
use super::{Failure, Hub, LISTING, Listing};
use crate::error::Error;
use crate::files::folder::WEIGHTS;
use std::path::PathBuf;

impl Hub {
    /// The GGUF file that a name means.
    pub fn download_gguf(&self, revision: &Revision, file: &str) -> Result<PathBuf, Error> {
        self.of_one_commit(file, || {
            let listing = self.attempt(LISTING, || self.list(revision))?;
            let file = choose(HubName { model: &self.model, file: Some(file) }, &listing.files)?;
            self.get_gguf(revision, &listing, &file)
        })
    }

    /// The only GGUF file of a model that has no other weights. It is noted that it has none.
    pub(super) fn only_gguf(&self, listing: &Listing) -> Result<Option<String>, Error> {
        if WEIGHTS.into_iter().any(|file| listing.files.contains(file)) {
            return Ok(None);
        }
        match choose(HubName { model: &self.model, file: None }, &listing.files) {
            Ok(file) => {
                WEIGHTS.into_iter().for_each(|file| self.repo.mark_absent(&listing.commit, file));
                Ok(Some(file))
            }
            Err(Error::NoSuchGguf { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A GGUF file's path in the cache.
    pub(super) fn get_gguf(
        &self,
        revision: &Revision,
        listing: &Listing,
        file: &str,
    ) -> Result<PathBuf, Failure> {
        let path = self.attempt(file, || self.fetch(revision, &listing.commit, file))?;
        self.repo.set_commit(revision, &listing.commit, &self.hooks)?;
        Ok(path)
    }
}
