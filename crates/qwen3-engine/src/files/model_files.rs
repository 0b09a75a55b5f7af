//! Which files a model was opened from, so that all of its halves, now or later,
//! come from the same ones.

use super::mini::{NAME, place};
use super::source::Source;
use crate::choices::Kind;
use crate::error::Error;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The files of a model as they were when it was opened.
///
/// A half that is loaded from a [`crate::Checkpoint`], or later by
/// [`crate::Session::load_from`], comes from these files or not at all, since tokens
/// of one model in the network of another give vectors that mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    path: Option<PathBuf>,
    kind: Kind,
    stamps: Stamps,
}

/// Files, and what they were like.
type Stamps = BTreeMap<PathBuf, Stamp>;

/// What changes when a file is written or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    inode: Option<Inode>,
}

/// Device, number, and when it was changed: tools that copy a file may give it
/// the time of modification that they like, but not this one.
type Inode = (u64, u64, (i64, i64));

impl ModelFiles {
    pub(crate) fn new(
        path: Option<&Path>,
        kind: Kind,
        files: impl IntoIterator<Item = PathBuf>,
    ) -> Result<Self, Error> {
        let stamped = files.into_iter().map(|path| Ok((path.clone(), Stamp::of(&path)?)));
        let stamps = stamped.collect::<Result<_, Error>>()?;
        Ok(Self { path: path.map(Path::to_owned), kind, stamps })
    }

    /// The folder, or the portable file; `None`: a part of the program.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Where the same model is found again.
    pub(crate) fn source(&self) -> Source {
        let source = self.path.as_ref().map_or_else(|| Source::new(NAME), Source::from);
        source.kind(self.kind)
    }

    /// # Errors
    /// If one of the files is not as it was.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let is_same = |(path, stamp): (&PathBuf, &Stamp)| Ok(Stamp::of(path)? == *stamp);
        let is_same: Result<Vec<bool>, Error> = self.stamps.iter().map(is_same).collect();
        match is_same?.into_iter().all(|is_same| is_same) {
            true => Ok(()),
            false => Err(self.changed()),
        }
    }

    /// # Errors
    /// If one of the files was written to in its place: memory that is mapped from it has the
    /// new bytes. One that was replaced or removed is still what was mapped.
    pub(crate) fn check_in_place(&self) -> Result<(), Error> {
        let is_written = |(path, stamp): (&PathBuf, &Stamp)| {
            let now = Stamp::of(path);
            now.is_ok_and(|now| now.is_same_file(stamp) && !now.has_content_of(stamp))
        };
        match self.stamps.iter().any(is_written) {
            true => Err(self.changed()),
            false => Ok(()),
        }
    }

    pub(crate) fn changed(&self) -> Error {
        Error::FilesChanged { path: place(self.path()).to_owned() }
    }
}

/// Those of the files that are there, as they are now.
pub(crate) fn stamps(files: impl IntoIterator<Item = PathBuf>) -> Stamps {
    let stamped = files.into_iter().filter_map(|path| Some((path.clone(), Stamp::of(&path).ok()?)));
    stamped.collect()
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, Error> {
        let metadata = std::fs::metadata(path);
        let metadata = metadata.map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let (bytes, modified) = (metadata.len(), metadata.modified().ok());
        Ok(Self { bytes, modified, inode: inode(&metadata) })
    }

    /// Whether it is the same file on the disk, whatever is in it; known on Unix, where a
    /// mapped file can be written to.
    fn is_same_file(&self, other: &Self) -> bool {
        match (self.inode, other.inode) {
            (Some((device, number, _)), Some((other_device, other_number, _))) => {
                (device, number) == (other_device, other_number)
            }
            _ => false,
        }
    }

    fn has_content_of(&self, other: &Self) -> bool {
        (self.bytes, self.modified) == (other.bytes, other.modified)
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
