//! A file that appears under its name when it is whole, or not at all.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf, is_separator};
use tempfile::NamedTempFile;

/// How the names of unfinished files end.
const SUFFIX: &str = ".part";
/// Letters and digits that tell the unfinished files of one name apart.
const RANDOM: usize = 6;
/// So much of a file's name is in that of its unfinished one: names have 255
/// bytes on most systems, and fewer on encrypted ones.
const MAX_PREFIX_BYTES: usize = 100;

/// A file that is written beside the one that it will replace. Whatever ends
/// the process: under its name is the old file or the new one, never a part.
#[derive(Debug)]
pub struct NewFile {
    temporary: NamedTempFile,
    target: PathBuf,
}

impl NewFile {
    /// Begins a file that is to be at `path`, or where the link at `path` points to.
    ///
    /// # Errors
    /// If it can't be there: something else than a file is, the file there
    /// may not be written to, or its folder takes no other.
    pub fn create(path: &Path) -> io::Result<Self> {
        let (target, old) = target(path)?;
        let name = target.file_name().ok_or(ErrorKind::InvalidInput)?;
        let temporary = temporary(folder_of(&target), name)?;
        if let Some(old) = old {
            // Else a rename would replace a file that its owner has protected.
            File::options().write(true).open(&target)?;
            keep_permissions(temporary.as_file(), &old)?;
        }
        Ok(Self { temporary, target })
    }

    /// Where it is until it is finished.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Makes it the file of its name, and replaces the one that is there.
    ///
    /// # Errors
    /// If the system refuses; the old file then stays as it was.
    pub fn replace(self) -> io::Result<()> {
        let Self { temporary, target } = self;
        temporary.as_file().sync_all()?;
        match temporary.persist(&target) {
            Ok(_) => sync_folder(folder_of(&target)),
            // A mount point, such as a file that a container was given, keeps its name.
            Err(refused) if refused.error.kind() == ErrorKind::ResourceBusy => {
                copy_into(refused.file, &target)
            }
            // There a file that somebody has open keeps its name, unless one asks in another way.
            Err(refused) if cfg!(windows) => rename_over(refused.file, &target),
            Err(refused) => Err(refused.error),
        }
    }

    /// Makes it the file of its name, where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if there is one by now, or if the system refuses.
    pub fn keep_old(self) -> io::Result<()> {
        let Self { temporary, target } = self;
        temporary.as_file().sync_all()?;
        temporary.persist_noclobber(&target)?;
        sync_folder(folder_of(&target))
    }
}

// By the file itself, as tempfile puts the path of the unfinished one into errors.
impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.as_file_mut().flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.temporary.as_file_mut().seek(to)
    }
}

/// Where a file at `path` really is or will be, with what is there.
fn target(path: &Path) -> io::Result<(PathBuf, Option<Metadata>)> {
    let refused = |what: &str| Err(io::Error::new(ErrorKind::InvalidInput, what));
    match fs::metadata(path) {
        Ok(old) if old.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(old) if !old.is_file() => refused("it is not a regular file; name another one"),
        Ok(old) => Ok((path.canonicalize()?, Some(old))),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Err(_) if path.to_string_lossy().ends_with(is_separator) => {
            refused("it ends as a folder does; name a file")
        }
        Err(_) => {
            let mut target = path.to_owned();
            // It ends, as a circle of links is another error.
            while let Ok(next) = fs::read_link(&target) {
                target = folder_of(&target).join(next);
            }
            Ok((target, None))
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Beside the target, so that renaming copies nothing.
fn temporary(folder: &Path, name: &OsStr) -> io::Result<NamedTempFile> {
    let name = name.to_string_lossy();
    let prefix = format!(".{}.", &name[..name.floor_char_boundary(MAX_PREFIX_BYTES)]);
    remove_abandoned(folder, &prefix);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(RANDOM);
    #[cfg(unix)]
    {
        // As any new file: what the process's mask leaves of it.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    loop {
        let file = builder.tempfile_in(folder).map_err(without_path)?;
        // Another process may have taken it for abandoned just before it was locked.
        if !is_locked(file.as_file()) || file.path().exists() {
            return Ok(file);
        }
    }
}

/// tempfile puts the path into its errors, which is a name that nobody gave.
fn without_path(error: io::Error) -> io::Error {
    let said = error.to_string();
    match said.rsplit_once(" at path ") {
        Some((cause, _)) => io::Error::new(error.kind(), cause),
        None => error,
    }
}

/// Locks a file for as long as it is open, where that hinders nobody from reading it.
fn is_locked(file: &File) -> bool {
    cfg!(unix) && file.lock().is_ok()
}

/// Removes what processes that were killed have left.
fn remove_abandoned(folder: &Path, prefix: &str) {
    let is_unfinished = |name: &str| {
        let random = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
        random.is_some_and(|random| {
            random.len() == RANDOM && random.bytes().all(|c| c.is_ascii_alphanumeric())
        })
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && is_unfinished(&entry.file_name().to_string_lossy()) {
            // One that stays is no harm.
            let _ = remove_unless_written(&entry.path());
        }
    }
}

/// Whoever still writes holds a lock.
#[cfg(not(windows))]
fn remove_unless_written(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    file.try_lock()?;
    fs::remove_file(path)
}

/// A file that is open can't be opened for one process alone.
#[cfg(windows)]
fn remove_unless_written(path: &Path) -> io::Result<()> {
    use std::os::windows::fs::OpenOptionsExt;
    File::options().read(true).share_mode(0).open(path)?;
    fs::remove_file(path)
}

/// The new file may be read by whom the old one could be.
fn keep_permissions(file: &File, old: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        // Only an administrator can give files away; for others it is theirs.
        let _ = fchown(file, Some(old.uid()), Some(old.gid()));
        file.set_permissions(old.permissions())?;
    }
    #[cfg(not(unix))]
    let _ = (file, old);
    Ok(())
}

/// The new name of a file is on the disk when its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Takes the name from a file that others have open, where the system has a call for it.
fn rename_over(from: NamedTempFile, target: &Path) -> io::Result<()> {
    let (_file, unfinished) = from.keep().map_err(|refused| refused.error)?;
    fs::rename(&unfinished, target).inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

/// What can't be renamed is copied; if that fails too, it isn't lost.
fn copy_into(mut from: NamedTempFile, target: &Path) -> io::Result<()> {
    let copied = from.rewind().and_then(|()| {
        let mut file = File::options().write(true).truncate(true).open(target)?;
        io::copy(&mut from, &mut file)?;
        file.sync_all()
    });
    copied.map_err(|error| match from.keep() {
        Ok((_, kept)) => {
            io::Error::new(error.kind(), format!("{error}; all of it is in `{}`", kept.display()))
        }
        Err(_) => error,
    })
}

#[cfg(test)]
mod tests;
