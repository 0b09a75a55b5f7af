//! Compiled kernels, kept on disk for the next process: compiling them takes most of the time to a
//! first vector.

use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig, cache::CacheConfig};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Kernels of a program that nobody ran for so long are deleted.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Has the kernels kept in a folder that are compiled for devices opened from now on: a part of it
/// for each device, its driver and this program, whose kernels change with it.
///
/// Where nothing can be written, they are compiled anew by every process.
pub fn keep_kernels_in(folder: PathBuf) {
    *FOLDER.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder);
}

/// To be called before CubeCL opens a device, with its name and its driver's.
///
/// A `cubecl.toml` of the working directory, which CubeCL would read, is not: it may come from
/// anyone.
pub fn before_opening(device: &str) {
    super::lost_work::watch();
    let mut config = CubeClRuntimeConfig::default().override_from_env();
    let all = FOLDER.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let folder = all.and_then(|all| prepared(&all, &key(device)).ok());
    config.compilation.cache = folder.map(CacheConfig::File);
    // CubeCL has a stream for each thread that asks, and each stream memory of its own: a pass on
    // another thread would allocate its activations anew, and wait for the weights' stream.
    config.streaming.max_streams = 1;
    *CubeClRuntimeConfig::storage().lock() = Some(Arc::new(config));
}

/// What kernels depend on, as the name of a folder.
fn key(device: &str) -> String {
    let mut hasher = DefaultHasher::new();
    device.hash(&mut hasher);
    if let Ok(program) = std::env::current_exe() {
        program.hash(&mut hasher);
        if let Ok(metadata) = program.metadata() {
            (metadata.len(), metadata.modified().ok()).hash(&mut hasher);
        }
    }
    format!("{:016x}", hasher.finish())
}

/// A folder that can be written to; long unused ones beside it are gone.
fn prepared(all: &Path, key: &str) -> io::Result<PathBuf> {
    let folder = all.join(key);
    fs::create_dir_all(&folder)?;
    // CubeCL panics where it can't write. The file's time says when the kernels were used.
    File::create(folder.join("used"))?.set_modified(SystemTime::now())?;
    for other in fs::read_dir(all)?.flatten() {
        let used = other.path().join("used").metadata().and_then(|used| used.modified());
        let age = used.ok().and_then(|used| SystemTime::now().duration_since(used).ok());
        if age.is_some_and(|age| age > UNUSED) {
            // Another process may be deleting it too.
            let _ = fs::remove_dir_all(other.path());
        }
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_of_another_device_or_driver_are_apart() {
        assert_eq!(key("a card, driver 1"), key("a card, driver 1"));
        assert_ne!(key("a card, driver 1"), key("a card, driver 2"));
    }

    #[test]
    fn kernels_that_nobody_used_are_deleted_and_others_stay() {
        let all = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|key| prepared(all.path(), key).unwrap());
        let long_ago = SystemTime::now() - UNUSED - Duration::from_secs(60);
        let used = File::options().write(true).open(old.join("used")).unwrap();
        used.set_modified(long_ago).unwrap();
        prepared(all.path(), "third").unwrap();
        assert!(!old.exists() && new.exists());
    }

    #[test]
    fn a_folder_that_can_not_be_written_to_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(prepared(file.path(), "key").is_err());
    }
}
