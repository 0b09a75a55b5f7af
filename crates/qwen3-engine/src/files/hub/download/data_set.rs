//! Data sets, of which their users say what they read.

use super::super::names::{Commit, Revision, is_plain_path};
use super::{Hub, LISTING};
use crate::error::Error;

/// Which files of a data set are downloaded.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// A folder of it, with a slash at its end; empty: all of it.
    pub below: String,
    /// Tells by a file's name.
    pub is_read: fn(&str) -> bool,
}

/// A data set that is in the cache.
pub struct Listed {
    pub commit: Commit,
    /// The files that were not downloaded.
    pub left_out: Vec<String>,
}

impl Hub {
    /// Downloads what is wanted of a data set. A name that is no plain path is of no file that is.
    pub fn download_data_set(&self, revision: &Revision, wanted: &Wanted) -> Result<Listed, Error> {
        self.of_one_commit(LISTING, || {
            let listing = self.attempt(LISTING, || self.list(revision))?;
            let inside = listing.files.iter().filter(|file| file.starts_with(&wanted.below));
            let is_taken = |file: &String| is_plain_path(file) && (wanted.is_read)(file);
            let (taken, left_out): (Vec<String>, Vec<_>) = inside.cloned().partition(is_taken);
            for file in &taken {
                self.attempt(file, || self.fetch(revision, &listing.commit, file))?;
            }
            self.repo.set_commit(revision, &listing.commit, &self.hooks)?;
            let commit = listing.commit;
            Ok(Listed { commit, left_out })
        })
    }
}
