//! SHA-256 of files.

use crate::error::Error;
use crate::progress::{Hooks, Progress};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The SHA-256 of a file in hexadecimal digits.
///
/// # Errors
/// If the file can't be read, or the caller cancels.
pub fn sha256(path: &Path, hooks: &Hooks) -> Result<String, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut file = File::open(path).map_err(failed)?;
    let total_bytes = file.metadata().map_err(failed)?.len();
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        hooks.check()?;
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            let digest = hasher.finalize();
            return Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
        hooks.report(Progress::Verify { file: file_name.clone(), bytes, total_bytes });
    }
}
