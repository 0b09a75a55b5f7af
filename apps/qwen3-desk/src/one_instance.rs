//! One process has the index. A second start shows the window of the first.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Held as long as the process has the index. The system lets go of it however that ends.
#[derive(Debug)]
pub struct Instance {
    _lock: File,
    request: PathBuf,
}

impl Instance {
    /// `None` if another process has it; that one is asked to show its window.
    pub fn take(lock: &Path) -> io::Result<Option<Self>> {
        if let Some(folder) = lock.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let request = lock.with_extension("show");
        let file = File::options().create(true).truncate(false).write(true).open(lock)?;
        match file.try_lock() {
            Ok(()) => {
                // What an earlier process left.
                let _ = std::fs::remove_file(&request);
                Ok(Some(Self { _lock: file, request }))
            }
            Err(TryLockError::WouldBlock) => {
                std::fs::write(&request, "")?;
                Ok(None)
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether another start has asked for the window since the last call.
    pub fn is_asked_for(&self) -> bool {
        std::fs::remove_file(&self.request).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_asks_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("deep/lock");
        let first = Instance::take(&lock).unwrap().unwrap();
        assert!(!first.is_asked_for());
        assert!(Instance::take(&lock).unwrap().is_none());
        assert!(first.is_asked_for() && !first.is_asked_for());
        drop(first);
        assert!(Instance::take(&lock).unwrap().is_some());
    }
}
