//! Which files a model was opened from, so that its other half, or the same half
//! later, comes from the same ones.

use super::{Checkpoint, Source};
use crate::choices::Kind;
use crate::error::Error;
use crate::progress::Hooks;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The files of a model as they were when its half on the host was loaded.
///
/// The network is loaded by [`crate::Session::load_from`] whenever it is needed:
/// from these files, or not at all, since tokens of one model in the network of
/// another give vectors that mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    path: PathBuf,
    kind: Kind,
    files: Vec<(PathBuf, Stamp)>,
}

/// What changes when a file is written or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    inode: Option<Inode>,
}

/// Device, number, and when it was changed: tools that copy a file may give it
/// the time of modification that they like, but not this one.
type Inode = (u64, u64, (i64, i64));

impl ModelFiles {
    pub(crate) fn of(checkpoint: &Checkpoint) -> Result<Self, Error> {
        let stamped = |(_, path): (String, PathBuf)| Ok((path.clone(), Stamp::of(&path)?));
        let files = checkpoint.source_files()?.into_iter().map(stamped);
        let files = files.collect::<Result<_, Error>>()?;
        Ok(Self { path: checkpoint.path.clone(), kind: checkpoint.kind, files })
    }

    /// The folder, or the portable file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the files again.
    pub(crate) fn open(&self, hooks: &Hooks) -> Result<Checkpoint, Error> {
        let changed = || Error::FilesChanged { path: self.path.clone() };
        for (path, stamp) in &self.files {
            if Stamp::of(path)? != *stamp {
                return Err(changed());
            }
        }
        let checkpoint = Checkpoint::open(Source::new(&self.path).kind(self.kind), hooks)?;
        // Once more now that they are open: what replaces one from here on isn't read.
        if Self::of(&checkpoint)? == *self { Ok(checkpoint) } else { Err(changed()) }
    }
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, Error> {
        let metadata = std::fs::metadata(path);
        let metadata = metadata.map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let (bytes, modified) = (metadata.len(), metadata.modified().ok());
        Ok(Self { bytes, modified, inode: inode(&metadata) })
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> Option<Inode> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino(), (metadata.ctime(), metadata.ctime_nsec())))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> Option<Inode> {
    None
}
