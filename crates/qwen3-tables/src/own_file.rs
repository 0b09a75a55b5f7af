//! A file that one process writes, while others may read it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a file to read and write it, and makes it if it isn't there. `None`: another process
/// has it so.
///
/// # Errors
/// If it can't be opened or made.
pub fn open_alone(path: &Path) -> io::Result<Option<File>> {
    let mut options = File::options();
    unless_taken(options.read(true).write(true).create(true).truncate(false), path)
}

#[cfg(not(windows))]
fn unless_taken(options: &mut OpenOptions, path: &Path) -> io::Result<Option<File>> {
    use std::fs::TryLockError;
    let file = options.open(path)?;
    match file.try_lock() {
        // Not every file system has locks; there nobody else is expected.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
    }
}

/// Windows keeps everybody from reading a locked file, even the process that has locked it and
/// opens it once more. So the file is opened in a way that lets others only read.
#[cfg(windows)]
fn unless_taken(options: &mut OpenOptions, path: &Path) -> io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_SHARE_READ: u32 = 1;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    match options.share_mode(FILE_SHARE_READ).open(path) {
        Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        opened => opened.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn others_read_what_one_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = open_alone(&path).unwrap().unwrap();
        file.write_all(b"a record").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"a record");
        assert!(open_alone(&path).unwrap().is_none());
        drop(file);
        assert!(open_alone(&path).unwrap().is_some());
        assert_eq!(std::fs::read(&path).unwrap(), b"a record");
        assert!(open_alone(folder.path()).is_err(), "a folder is no file");
    }
}
